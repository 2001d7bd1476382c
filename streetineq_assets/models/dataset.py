"""What a training reads: slices of published artefacts, joined by id, and their digests.

What belongs here: which rows of a city have codes, an area and a label. What does not: how they are
trained on (`training`), and who published them.

Rows are joined by location id and area code, never by position. A location is used when it is
matched to an area, has codes and its area has a decile; the others are counted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from streetineq_assets.codes.identity import EncoderIdentity, require_one_encoder
from streetineq_assets.codes.shards import ShardReader
from streetineq_assets.digests import digest_frame
from streetineq_assets.errors import StoreError
from streetineq_assets.models.batches import Codes
from streetineq_assets.models.folds import FoldTable
from streetineq_assets.store import Artefact, DataStore

SPATIAL = "spatial_"


@dataclass(frozen=True)
class Examples:
    """The rows of one training.

    Attributes:
        codes: of a city, or of several.
        rows: `row` (in the codes, ascending), `location_id, lsoa11, decile`; `decile` is the
            area's (its mean over the outcomes, when there are several) and only stratifies
            validation. With `city` where there may be several.
        classes: (n, outcomes) int, decile - 1, or -1 for no label; aligned with `rows`.
        outcomes: their keys.
    """

    codes: Codes
    rows: pd.DataFrame
    classes: NDArray[np.integer]
    outcomes: tuple[str, ...]


@dataclass(frozen=True)
class Unavailable:
    """Why a pair has nothing to train on, and which file or setting would change that."""

    wanted: str
    reason: str


@dataclass(frozen=True)
class CityInputs:
    """The artefacts of one city and the slices of them that its trainings read.

    Attributes:
        labels: `lsoa11, outcome, decile` (float), of the outcomes asked for, without gaps.
        places: `location_id, lsoa11` of the matched locations.
        shards, folds: the published artefacts.
    """

    city: str
    labels: pd.DataFrame
    places: pd.DataFrame
    shards: Artefact
    folds: Artefact

    def digests(self) -> dict[str, str]:
        """Of each slice, for the recipe."""
        return {
            f"{self.city}/labels": digest_frame(self.labels),
            f"{self.city}/locations": digest_frame(self.places),
            f"{self.city}/hdf5_shards": self.shards.digest,
            f"{self.city}/area_folds": self.folds.digest,
        }

    def centroids(self) -> pd.DataFrame:
        """`lsoa11, easting_m, northing_m` of the city's areas."""
        return self.folds.table("centroids.parquet")

    def fold_table(self, stem: str = "") -> FoldTable | None:
        """The study's folds, or with the stem `SPATIAL` the spatial blocks; None if impossible."""
        return FoldTable.load(self.folds, stem)


def read_inputs(store: DataStore, city: str, outcomes: Sequence[str]) -> CityInputs:
    """Open a city's artefacts; StoreError names the asset to materialise when one is absent."""
    places = store.open("locations", city).table(columns=["location_id", "lsoa11", "status"])
    matched = places.loc[places["status"] == "matched", ["location_id", "lsoa11"]]
    return CityInputs(
        city=city,
        labels=city_labels(store.open("lsoa_labels"), city, outcomes),
        places=matched.sort_values("location_id", ignore_index=True),
        shards=store.open("hdf5_shards", city),
        folds=store.open("area_folds", city),
    )


def city_labels(labels: Artefact, city: str, outcomes: Sequence[str]) -> pd.DataFrame:
    """`lsoa11, outcome, decile` of one city, sorted, areas without a decile left out."""
    table = labels.table(columns=["city", "outcome", "lsoa11", "decile"])
    mine = (table["city"] == city) & table["outcome"].isin(outcomes) & table["decile"].notna()
    frame = table.loc[mine, ["lsoa11", "outcome", "decile"]]
    return frame.astype({"decile": "float64"}).sort_values(["outcome", "lsoa11"], ignore_index=True)


def labels_unavailable(store: DataStore, city: str, outcome: str) -> Unavailable | None:
    """Why this pair has no labels, by their own account; None when it has."""
    table = store.open("lsoa_labels").table("availability.parquet")
    mine = table[(table["city"] == city) & (table["outcome"] == outcome)]
    if len(mine) and mine["status"].iloc[0] != "available":
        return Unavailable(str(mine["wanted"].iloc[0]), str(mine["reason"].iloc[0]))
    return None


def unavailable(store: DataStore, city: str, outcome: str) -> Unavailable | None:
    """Why this pair cannot be trained, by the labels' own account or by the city's folds."""
    if why := labels_unavailable(store, city, outcome):
        return why
    figures = store.open("area_folds", city).manifest.summary.get("values", {})
    if figures.get("status") == "unavailable":
        return Unavailable(str(figures["wanted"]), str(figures["reason"]))
    if store.open("hdf5_shards", city).table("rows.parquet").empty:
        wanted = f"inputs/locations/{city}.csv and the images in inputs/images/{city}"
        return Unavailable(wanted, "no location of the city has codes")
    return None


def open_codes(shards: Sequence[Artefact], budget_bytes: int) -> Codes:
    """Codes of one or several cities as one, kept for the next training in this process.

    Raises:
        StoreError: no city has any.
        TrainingError: the cities' codes were made by different encoders.
    """
    cities = tuple(map(_packed, shards))
    if not any(packed.files for packed in cities):
        named = ", ".join(packed.city for packed in cities)
        raise StoreError(
            f"no location of {named} has codes: put images below inputs/images, then materialise "
            "image_codes and hdf5_shards"
        )
    return _codes(cities, budget_bytes)


@dataclass(frozen=True)
class _Packed:
    """A city's shards by their files; the digest makes a cache miss when the content changed."""

    city: str
    folder: Path
    files: tuple[str, ...]
    digest: str


def _packed(shards: Artefact) -> _Packed:
    files = tuple(sorted(name for name in shards.manifest.files if name.endswith(".h5")))
    return _Packed(str(shards.manifest.partition), shards.folder, files, shards.digest)


@lru_cache(maxsize=1)
def _codes(cities: tuple[_Packed, ...], budget_bytes: int) -> Codes:
    files, tables, first_shards = [], [], {}
    for packed in cities:
        rows = pd.read_parquet(packed.folder / "rows.parquet")
        tables.append(rows.assign(shard=rows["shard"] + len(files)))
        if packed.files:
            first_shards[packed.city] = len(files)
        files += [packed.folder / name for name in packed.files]
    reader = ShardReader(files, pd.concat(tables, ignore_index=True))
    require_one_encoder(
        {
            city: EncoderIdentity.from_attributes(reader.attributes_of(number))
            for city, number in first_shards.items()
        }
    )
    return Codes(reader, budget_bytes)


def label_rows(
    location_ids: Sequence[str],
    places: pd.DataFrame,
    labels: pd.DataFrame,
    outcomes: Sequence[str],
) -> tuple[pd.DataFrame, np.ndarray, dict[str, int]]:
    """Which rows of the codes can be trained on, and with which classes.

    Returns:
        `row, location_id, lsoa11, decile`, ascending by row, `decile` being the mean over the
        outcomes; classes (n, outcomes), decile - 1 or -1; and how many rows have no area or no
        label.
    """
    rows = pd.DataFrame({"location_id": np.asarray(location_ids, dtype=object).astype(str)})
    rows["row"] = np.arange(len(rows))
    placed = rows.merge(places, on="location_id", how="inner", validate="one_to_one")
    deciles_of = {
        outcome: labels[labels["outcome"] == outcome].set_index("lsoa11")["decile"]
        for outcome in outcomes
    }
    wide = pd.DataFrame(deciles_of)
    labelled = placed[placed["lsoa11"].isin(wide.index)].sort_values("row", ignore_index=True)
    deciles = wide.reindex(labelled["lsoa11"]).to_numpy(np.float64)
    classes = np.where(np.isnan(deciles), 0, deciles).astype(np.int64) - 1
    frame = labelled.assign(decile=np.nanmean(deciles, axis=1) if len(labelled) else np.nan)
    counts = {
        "n_locations_with_codes": len(rows),
        "n_locations_without_area": len(rows) - len(placed),
        "n_locations_without_label": len(placed) - len(labelled),
        "n_locations_used": len(labelled),
    }
    return frame[["row", "location_id", "lsoa11", "decile"]], classes, counts


def make_examples(
    reads: Sequence[CityInputs], outcomes: Sequence[str], budget_bytes: int
) -> tuple[Examples, dict[str, int]]:
    """The examples of one or several cities, and the accounting of the first one's locations.

    Ids are a city's own, so labels are joined city by city, and rows say which city they are of.
    """
    codes = open_codes([read.shards for read in reads], budget_bytes)
    frames, classes, accounts, start = [], [], [], 0
    for read in reads:
        stop = start + len(read.shards.table("rows.parquet", columns=["row"]))
        ids = codes.reader.location_ids[start:stop]
        frame, found, counts = label_rows(ids, read.places, read.labels, outcomes)
        frames.append(frame.assign(row=frame["row"] + start, city=read.city))
        classes.append(found)
        accounts.append(counts)
        start = stop
    rows = pd.concat(frames, ignore_index=True)
    return Examples(codes, rows, np.concatenate(classes), tuple(outcomes)), accounts[0]
