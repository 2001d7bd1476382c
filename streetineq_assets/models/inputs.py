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

from streetineq_assets.codes.shards import ShardReader
from streetineq_assets.models.folds import FoldTable
from streetineq_assets.models.sampling import Codes
from streetineq_assets.store import Artefact, DataStore, digest_frame

SPATIAL = "spatial_"


@dataclass(frozen=True)
class Examples:
    """The rows of one training.

    Attributes:
        codes: a city's codes.
        rows: `row` (in the codes, ascending), `location_id, lsoa11, decile`; `decile` is the
            area's (its mean over the outcomes, when there are several) and only stratifies
            validation.
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


def unavailable(store: DataStore, city: str, outcome: str) -> Unavailable | None:
    """Why this pair cannot be trained, by the labels' own account or by the city's folds."""
    table = store.open("lsoa_labels").table("availability.parquet")
    mine = table[(table["city"] == city) & (table["outcome"] == outcome)]
    if len(mine) and mine["status"].iloc[0] != "available":
        return Unavailable(str(mine["wanted"].iloc[0]), str(mine["reason"].iloc[0]))
    figures = store.open("area_folds", city).manifest.summary.get("figures", {})
    if figures.get("status") == "unavailable":
        return Unavailable(str(figures["wanted"]), str(figures["reason"]))
    if store.open("hdf5_shards", city).table("rows.parquet").empty:
        wanted = f"inputs/locations/{city}.csv and the images in inputs/images/{city}"
        return Unavailable(wanted, "no location of the city has codes")
    return None


def open_codes(shards: Artefact, budget_bytes: int) -> Codes:
    """A city's codes, kept for the next outcome that is trained in this process."""
    files = tuple(sorted(name for name in shards.manifest.files if name.endswith(".h5")))
    return _codes(shards.folder, files, shards.digest, budget_bytes)


@lru_cache(maxsize=1)
def _codes(folder: Path, files: tuple[str, ...], digest: str, budget_bytes: int) -> Codes:  # noqa: ARG001 - the digest is there to miss the cache when the content changed
    rows = pd.read_parquet(folder / "rows.parquet")
    return Codes(ShardReader([folder / name for name in files], rows), budget_bytes)


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


def city_examples(
    inputs: CityInputs, outcomes: Sequence[str], budget_bytes: int
) -> tuple[Examples, dict[str, int]]:
    """A city's examples for one or several outcomes, and the accounting of its locations."""
    codes = open_codes(inputs.shards, budget_bytes)
    rows, classes, counts = label_rows(
        codes.reader.location_ids, inputs.places, inputs.labels, outcomes
    )
    return Examples(codes, rows, classes, tuple(outcomes)), counts
