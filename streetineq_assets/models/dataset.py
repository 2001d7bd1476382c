"""What a training reads: slices of published artefacts, rows joined by id, and their codes.

Rows are joined by location id and area code, never by position. A location is used when it is
matched to an area, has codes, and its area has a decile; the others are counted.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from streetineq_assets import tables
from streetineq_assets.codes.identity import EncoderIdentity
from streetineq_assets.codes.repeated_images import ask_shared_images
from streetineq_assets.codes.shards import ShardReader
from streetineq_assets.codes.tables import ShardsRecord
from streetineq_assets.digests import digest_frame
from streetineq_assets.errors import StoreError, TrainingError
from streetineq_assets.models.arrays import aligned_empty, take_rows
from streetineq_assets.models.fold_table import FoldTable
from streetineq_assets.models.reader import READ_ROWS, CodeShape, Reader
from streetineq_assets.prefetch import prefetch
from streetineq_assets.store import Artefact, DataStore

LABEL_COLUMNS = ["city", "outcome", "area", "decile"]
HELD_SHARE = 0.25
_HALF_EXPONENT = 0x7C00


class Codes:
    """Codes of one or several cities: in memory where they fit the budget, else on disk.

    Every row is checked once, when it is first taken: a code that is not finite stops whatever
    takes it, with the location's name, instead of showing later as a loss that diverges.

    Args:
        reader: the shards.
        budget_bytes: for codes held at one time.
    """

    def __init__(self, reader: Reader, budget_bytes: int) -> None:
        self.reader = reader
        self.budget_bytes = budget_bytes
        self.resident = reader.nbytes <= budget_bytes
        self._held: NDArray | None = None
        self._finite = np.zeros(reader.n_rows, bool)
        self._present = None if reader.present.all() else reader.present

    def load(self) -> None:
        """Read all codes once where they fit the budget; else they stay on disk."""
        if not self.resident or self._held is not None:
            return
        held = np.empty((self.reader.n_rows, self.reader.views, self.reader.width), self.dtype)
        for rows, features in self.reader.stream():
            held[rows] = features
        self._held = held

    @property
    def dtype(self) -> np.dtype:
        """Of the codes as stored."""
        return np.dtype(self.reader.dtype)

    @property
    def shape(self) -> CodeShape:
        """Of a location's codes."""
        return CodeShape(self.reader.width, self.reader.views, self._present is not None)

    def present(self, rows: NDArray[np.integer]) -> NDArray[np.bool_] | None:
        """(n, V), which views of these rows are there; None where all views of all rows are."""
        return None if self._present is None else self._present[rows]

    @property
    def row_bytes(self) -> int:
        """Of one location's codes."""
        return self.reader.views * self.reader.width * self.dtype.itemsize

    @property
    def window_rows(self) -> int:
        """Training rows in memory at one time while another such window is read."""
        return int((1 - HELD_SHARE) * self.budget_bytes) // (2 * self.row_bytes)

    def take(self, rows: NDArray[np.integer], out: NDArray | None = None) -> NDArray:
        """(n,) ascending rows -> (n, V, width) in the file's dtype; `out` is filled if given.

        Raises:
            TrainingError: a code is not finite; the message names its location.
        """
        held = self._held
        if held is not None:
            taken = take_rows(held, rows)
        else:
            shape = (len(rows), self.reader.views, self.reader.width)
            taken = self.reader.read(rows, aligned_empty(shape, self.dtype) if out is None else out)
        if not self._finite[rows].all():
            self._require_finite(rows, taken)
        return taken

    def _require_finite(self, rows: NDArray[np.integer], features: NDArray) -> None:
        for start in range(0, len(rows), READ_ROWS):  # in parts, for the memory that it takes
            part = features[start : start + READ_ROWS]
            if not _all_finite(part):
                bad = rows[start : start + READ_ROWS][~np.isfinite(part).all(axis=(1, 2))]
                raise TrainingError(
                    f"the codes of location {self.reader.location_ids[bad[0]]} are not finite "
                    f"({len(bad)} of {len(part)} such locations in this part): materialise "
                    "image_codes and hdf5_shards again"
                )
        self._finite[rows] = True

    @cached_property
    def window_buffers(self) -> tuple[NDArray, NDArray]:
        """Memory for two windows, used in turns over all epochs and folds."""
        shape = (self.window_rows, self.reader.views, self.reader.width)
        return np.empty(shape, self.dtype), np.empty(shape, self.dtype)

    def hold(self, rows: NDArray[np.integer]) -> NDArray | None:
        """Rows that are needed every epoch, when they fit a quarter of the budget."""
        if self.resident or len(rows) * self.row_bytes > HELD_SHARE * self.budget_bytes:
            return None
        return self.take(rows)

    def chunks(
        self, rows: NDArray[np.integer], size: int, held: NDArray | None = None
    ) -> Iterator[NDArray]:
        """Consecutive chunks of rows, read ahead; `held` is what `hold` gave for the same rows."""

        def chunk(start: int) -> NDArray:
            part = slice(start, start + size)
            return self.take(rows[part]) if held is None else held[part]

        starts = range(0, len(rows), size)
        if len(starts) == 1:  # a thread would take as long as a small city's scores
            return map(chunk, starts)
        return prefetch(chunk, starts, workers=1, ahead=3)


@dataclass(frozen=True)
class Examples:
    """The rows of one training.

    Attributes:
        codes: of a city, or of several.
        rows: `row` (in the codes, ascending), `location_id, area, decile, city`; `decile` is the
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
class CitySlices:
    """The artefacts of one city and the slices of them that its trainings read.

    Attributes:
        labels: `area, outcome, decile` (float), of the outcomes asked for, without gaps.
        location_areas: `location_id, area` of the matched locations.
        shards, folds: the published artefacts.
        repeats: the city's `image_repeats`, where training leaves them out.
    """

    city: str
    labels: pd.DataFrame
    location_areas: pd.DataFrame
    shards: Artefact
    folds: Artefact
    repeats: Artefact | None = None

    def digests(self) -> dict[str, str]:
        """Of each slice, for the recipe."""
        read = {
            f"{self.city}/labels": digest_frame(self.labels),
            f"{self.city}/locations": digest_frame(self.location_areas),
            f"{self.city}/hdf5_shards": self.shards.digest,
            f"{self.city}/area_folds": self.folds.digest,
        }
        return read | ({f"{self.city}/image_repeats": self.repeats.digest} if self.repeats else {})

    @property
    def encoder(self) -> EncoderIdentity:
        """What made the city's codes."""
        return self.shards.manifest.read_record(ShardsRecord).encoder

    def location_ids(self) -> NDArray:
        """(n,) ids of the rows of the city's codes, in their order."""
        rows = self.shards.table("rows.parquet").sort_values(["shard", "row"])
        return rows["location_id"].to_numpy(dtype=object)

    def centroids(self) -> pd.DataFrame:
        """`area, easting_m, northing_m` of the city's areas."""
        return self.folds.table("centroids.parquet")

    def fold_table(self, stem: str = "") -> FoldTable | None:
        """The study's folds, or those of another stem of `fold_table`; None if there are none."""
        table = FoldTable.load(self.folds, stem)
        return table and self.without_repeats(table)

    def without_repeats(self, table: FoldTable) -> FoldTable:
        """The folds, with what each does not learn from since it repeats what the fold tests."""
        # Whole cities are held out, and repeats are found in one city.
        if self.repeats is None or table.scheme == "city":
            return table
        return replace(table, repeats=self.repeats.table())


def read_slices(
    store: DataStore, city: str, outcomes: Sequence[str], *, drop_repeats: bool
) -> CitySlices:
    """Open a city's artefacts.

    Args:
        drop_repeats: whether training leaves out what repeats a fold's test.

    Raises:
        StoreError: one is absent or damaged; the message names the asset to materialise.
        TrainingError: too many images occur in two areas.
    """
    location_areas, shards = read_location_areas(store, city), store.open("hdf5_shards", city)
    check = ask_shared_images(store, shards, location_areas)  # packing asked by older areas
    if not check.passed:
        raise TrainingError(f"{city}: {check.description}")
    return CitySlices(
        city=city,
        labels=city_labels(store.open("lsoa_labels"), city, outcomes),
        location_areas=location_areas,
        shards=shards,
        folds=store.open("area_folds", city),
        repeats=store.open("image_repeats", city) if drop_repeats else None,
    )


def read_location_areas(store: DataStore, city: str) -> pd.DataFrame:
    """`location_id, area` of the city's matched locations, ascending by location.

    Raises:
        StoreError: the city's `locations` are absent or damaged.
    """
    table = store.open("locations", city).table(columns=["location_id", "area", "status"])
    matched = table.loc[table["status"] == "matched", ["location_id", "area"]]
    return matched.sort_values("location_id", ignore_index=True)


def city_labels(labels: Artefact, city: str, outcomes: Sequence[str]) -> pd.DataFrame:
    """`area, outcome, decile` of one city, sorted, areas without a decile left out."""
    return labels_among(labels.table(columns=LABEL_COLUMNS), city, outcomes)


def labels_among(table: pd.DataFrame, city: str, outcomes: Sequence[str]) -> pd.DataFrame:
    """`city_labels` of rows of `lsoa_labels`, with the columns `LABEL_COLUMNS` or more."""
    mine = (table["city"] == city) & table["outcome"].isin(outcomes) & table["decile"].notna()
    frame = table.loc[mine, ["area", "outcome", "decile"]]
    return frame.astype({"decile": "float64"}).sort_values(["outcome", "area"], ignore_index=True)


def fit_in_memory(slices: Sequence[CitySlices], budget_bytes: int) -> bool:
    """Whether the codes of these cities fit the budget, without opening them."""
    records = [each.shards.manifest.read_record(ShardsRecord) for each in slices]
    widest = max(np.dtype(record.dtype).itemsize for record in records)
    sizes = [r.size_bytes * widest // np.dtype(r.dtype).itemsize for r in records]
    return sum(sizes) <= budget_bytes


def open_codes(shards: Sequence[Artefact], budget_bytes: int) -> Codes:
    """Codes of one or several cities as one, kept for the next training in this process.

    Raises:
        StoreError: no city has any.
    """
    cities = tuple(map(_packed, shards))
    if not any(packed.files for packed in cities):
        named = ", ".join(packed.city for packed in cities)
        raise StoreError(
            f"no location of {named} has codes: put images below inputs/images, then materialise "
            "image_codes and hdf5_shards"
        )
    return _codes(cities, budget_bytes)


class _Packed(NamedTuple):
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
    files: list[Path] = []
    frames = []
    for packed in cities:
        rows = tables.read(packed.folder / "rows.parquet")
        frames.append(rows.assign(shard=rows["shard"] + len(files)))
        files += [packed.folder / name for name in packed.files]
    return Codes(ShardReader(files, pd.concat(frames, ignore_index=True)), budget_bytes)


class LabelledRows(NamedTuple):
    """Which rows of the codes can be trained on.

    Attributes:
        rows: `row, location_id, area, decile, city`, ascending by row, `decile` being the mean
            over the outcomes.
        classes: (n, outcomes), decile - 1, or -1 for no label.
        counts: `n_locations_with_codes`, and how many of these have no area, no label, or are used;
            of the first city.
    """

    rows: pd.DataFrame
    classes: NDArray[np.int64]
    counts: dict[str, int]

    def of_outcome(self, position: int) -> tuple[pd.DataFrame, NDArray[np.bool_]]:
        """The rows with one outcome's label and its decile, and which of all rows these are."""
        classes = self.classes[:, position]
        labelled = classes >= 0
        rows = self.rows.assign(decile=classes + 1.0)[labelled]
        return rows.reset_index(drop=True), labelled


def labelled_rows(slices: Sequence[CitySlices], outcomes: Sequence[str]) -> LabelledRows:
    """Join the codes of one or several cities with their labels; no shard is opened.

    Ids are a city's own, so labels are joined city by city.
    """
    parts, start = [], 0
    for each in slices:
        ids = each.location_ids()
        part = _label(ids, each.location_areas, each.labels, outcomes)
        rows = part.rows.assign(row=part.rows["row"] + start, city=each.city)
        parts.append(part._replace(rows=rows))
        start += len(ids)
    return LabelledRows(
        pd.concat([part.rows for part in parts], ignore_index=True),
        np.concatenate([part.classes for part in parts]),
        parts[0].counts,
    )


def make_examples(
    slices: Sequence[CitySlices], outcomes: Sequence[str], budget_bytes: int
) -> tuple[Examples, dict[str, int]]:
    """The examples of one or several cities, and the accounting of the first one's locations."""
    labelled = labelled_rows(slices, outcomes)
    codes = open_codes([each.shards for each in slices], budget_bytes)
    return Examples(codes, labelled.rows, labelled.classes, tuple(outcomes)), labelled.counts


def _label(
    location_ids: Sequence[str] | NDArray,
    location_areas: pd.DataFrame,
    labels: pd.DataFrame,
    outcomes: Sequence[str],
) -> LabelledRows:
    rows = pd.DataFrame({"location_id": np.asarray(location_ids, dtype=object).astype(str)})
    rows["row"] = np.arange(len(rows))
    placed = rows.merge(location_areas, on="location_id", how="inner", validate="one_to_one")
    wide = pd.DataFrame(
        {
            outcome: labels[labels["outcome"] == outcome].set_index("area")["decile"]
            for outcome in outcomes
        }
    )
    labelled = placed[placed["area"].isin(wide.index)].sort_values("row", ignore_index=True)
    deciles = wide.reindex(labelled["area"]).to_numpy(np.float64)
    classes = np.where(np.isnan(deciles), 0, deciles).astype(np.int64) - 1
    frame = labelled.assign(decile=np.nanmean(deciles, axis=1) if len(labelled) else np.nan)
    counts = {
        "n_locations_with_codes": len(rows),
        "n_locations_without_area": len(rows) - len(placed),
        "n_locations_without_label": len(placed) - len(labelled),
        "n_locations_used": len(labelled),
    }
    return LabelledRows(frame[["row", "location_id", "area", "decile"]], classes, counts)


def _all_finite(features: NDArray) -> bool:
    """Whether no value is infinite or NaN; those alone have every bit of the exponent set."""
    if features.dtype != np.float16:
        return bool(np.isfinite(features).all())
    # On halves this is eight times as fast as NumPy's `isfinite`.
    exponents = features.view(np.uint16) & np.uint16(_HALF_EXPONENT)
    return int(exponents.max(initial=0)) < _HALF_EXPONENT
