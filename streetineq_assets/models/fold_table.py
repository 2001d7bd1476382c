"""A city's fold table: what each fold tests, and what it leaves out of training."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from streetineq_assets.digests import digest_frame
from streetineq_assets.models.tables import (
    AREA_FOLDS,
    BUFFERS,
    LOCATION_BUFFERS,
    LOCATION_FOLDS,
    SPATIAL_FOLDS,
)
from streetineq_assets.store import Artefact
from streetineq_assets.tables import write

SPATIAL_STEM = "spatial_"


def deal_stem(number: int) -> str:
    """Of the files of the folds of the training of this number; the first's have none."""
    return f"deal_{number}_" if number else ""


@dataclass(frozen=True)
class FoldTable:
    """One city's folds, used by every outcome, head and baseline of it.

    Attributes:
        areas: `area, fold, scheme` (and `block` for `spatial_block`), one row per area. `fold`
            is the network that the area tests; -1 tests none and may train, -2 only validates.
        buffers: `fold, area`: areas that this fold's training and validation leave out.
        locations: `location_id, fold`, for the scheme `location` alone.
        near: `fold, location_id`: locations that this fold's training and validation leave out.
        repeats: `IMAGE_REPEATS`: of each pair, a fold that tests one learns nothing from the other.
    """

    areas: pd.DataFrame
    buffers: pd.DataFrame
    locations: pd.DataFrame | None = None
    near: pd.DataFrame | None = None
    repeats: pd.DataFrame | None = None

    @property
    def scheme(self) -> str:
        """The scheme by which the table was made."""
        return str(self.areas["scheme"].iloc[0])

    @property
    def folds(self) -> tuple[int, ...]:
        """The folds that test something, ascending."""
        return tuple(int(f) for f in sorted(self.tested["fold"].unique()) if f >= 0)

    @property
    def tested(self) -> pd.DataFrame:
        """Which fold tests what: `area, fold`, or `location_id, fold` where areas are split."""
        return self.areas[["area", "fold"]] if self.locations is None else self.locations

    @property
    def loose_locations(self) -> set[str]:
        """Locations that a fold may leave out while it learns from others of their area."""
        near = set() if self.near is None else set(self.near["location_id"])
        if self.repeats is None:
            return near
        return near | set(self.repeats["location_id"]) | set(self.repeats["other_location_id"])

    @property
    def digest(self) -> str:
        """Of all that it says but for repeats, which are another artefact's."""
        parts = [self.areas, self.buffers, self.locations, self.near]
        told = "".join("" if part is None else digest_frame(part) for part in parts)
        return hashlib.sha256(told.encode()).hexdigest()

    def fold_of(self, rows: pd.DataFrame) -> NDArray[np.float64]:
        """(n,) the fold that each row is tested in, as in `tested`; NaN for unknown areas.

        Args:
            rows: `location_id, area`.
        """
        key = "area" if self.locations is None else "location_id"
        by_key = self.tested.set_index(key)["fold"]
        return by_key.reindex(rows[key]).to_numpy(np.float64)

    def save(self, folder: Path, stem: str = "") -> None:
        """Write `<stem>area_folds.parquet`, `<stem>buffers.parquet`, and what there is by location.

        Repeats are another artefact's.
        """
        areas = SPATIAL_FOLDS if "block" in self.areas else AREA_FOLDS
        write(self.areas, areas, folder / f"{stem}area_folds.parquet")
        write(self.buffers, BUFFERS, folder / f"{stem}buffers.parquet")
        if self.locations is not None:
            write(self.locations, LOCATION_FOLDS, folder / f"{stem}location_folds.parquet")
        if self.near is not None:
            write(self.near, LOCATION_BUFFERS, folder / f"{stem}location_buffers.parquet")

    @classmethod
    def load(cls, artefact: Artefact, stem: str = "") -> "FoldTable | None":
        """What `save` wrote into an artefact; None when this table could not be made."""
        if f"{stem}area_folds.parquet" not in artefact.manifest.files:
            return None
        areas = artefact.table(f"{stem}area_folds.parquet")
        if areas.empty:
            return None

        def optional(name: str) -> pd.DataFrame | None:
            file = f"{stem}{name}.parquet"
            return artefact.table(file) if file in artefact.manifest.files else None

        return cls(
            areas=areas,
            buffers=artefact.table(f"{stem}buffers.parquet"),
            locations=optional("location_folds"),
            near=optional("location_buffers"),
        )
