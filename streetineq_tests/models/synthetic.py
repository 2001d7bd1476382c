"""Synthetic codes with a small signal, and a reader of arrays with the interface of ShardReader.

The codes have the mean and deviation of VGG16's fc6 over London, -5.24 and 8.17. A few directions
of the code space carry the area's decile; the rest is noise of the location and of the view.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from streetineq_assets.devices import Device
from streetineq_assets.models.dataset import Codes, Examples
from streetineq_assets.models.folds import FoldTable, split_rows
from streetineq_assets.profiles import Profile

if TYPE_CHECKING:  # importing it takes the 8 s of TensorFlow
    from streetineq_assets.models.training import Trained

MEAN, SD = -5.24, 8.17


class ArrayReader:
    """Codes in an array, cut into shards of a fixed number of rows."""

    def __init__(
        self,
        features: np.ndarray,
        ids: np.ndarray,
        shard_rows: int = 64,
        present: np.ndarray | None = None,
    ) -> None:
        self._features = features
        self.location_ids = ids
        self.n_rows, self.views, self.width = features.shape
        self.present = np.ones(features.shape[:2], bool) if present is None else present
        self.dtype = features.dtype
        self.nbytes = features.nbytes
        self.attributes = {"backbone": "vgg16", "layer": "fc6", "synthetic": True}
        starts = range(0, self.n_rows, shard_rows)
        self.shard_bounds = [(s, min(s + shard_rows, self.n_rows)) for s in starts]

    def read(self, rows: np.ndarray | None = None, out: np.ndarray | None = None) -> np.ndarray:
        rows = np.arange(self.n_rows) if rows is None else rows
        if out is None:
            return self._features[rows]
        out[:] = self._features[rows]
        return out

    def stream(
        self, mask: np.ndarray | None = None, chunk_rows: int = 1024
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        chosen = np.arange(self.n_rows) if mask is None else np.flatnonzero(mask)
        for start in range(0, len(chosen), chunk_rows):
            rows = chosen[start : start + chunk_rows]
            yield rows, self._features[rows]


def city(
    n_areas: int = 50,
    per_area: int = 2,
    width: int = 64,
    *,
    signal: float = 0.5,
    directions: int = 8,
    seed: int = 0,
    dtype: str = "float32",
) -> tuple[np.ndarray, pd.DataFrame]:
    """Codes (n, 4, width) and the rows `row, location_id, area, decile`, in random order."""
    rng = np.random.default_rng(seed)
    deciles = np.arange(n_areas) * 10 // n_areas + 1
    area = rng.permutation(np.repeat(np.arange(n_areas), per_area))
    # The same directions in every city, so that networks can be transferred.
    basis = np.random.default_rng(1).normal(size=(directions, width)) / np.sqrt(directions)
    level = (deciles[area] - 5.5) / 2.87
    strength = level[:, None] + rng.normal(scale=0.5, size=(len(area), directions))
    location = rng.normal(scale=0.5, size=(len(area), 1, width))
    view = rng.normal(scale=0.8, size=(len(area), 4, width))
    codes = MEAN + SD * (signal * (strength @ basis)[:, None] + location + view)
    rows = pd.DataFrame(
        {
            "row": np.arange(len(area)),
            "location_id": [f"loc{n:05d}" for n in rng.permutation(len(area))],
            "area": [f"E01{a:06d}" for a in area],
            "decile": deciles[area].astype(float),
        }
    )
    return codes.astype(dtype), rows


def examples(
    codes: np.ndarray,
    rows: pd.DataFrame,
    *,
    budget_bytes: int = 2**30,
    shard_rows: int = 64,
    present: np.ndarray | None = None,
) -> Examples:
    """One outcome's examples."""
    reader = ArrayReader(codes, rows["location_id"].to_numpy(), shard_rows, present)
    classes = rows["decile"].to_numpy(np.int64)[:, None] - 1
    return Examples(Codes(reader, budget_bytes), rows, classes, ("crime",))


def areas(rows: pd.DataFrame) -> pd.DataFrame:
    """The areas of these rows with their decile."""
    return rows[["area", "decile"]].drop_duplicates("area").reset_index(drop=True)


def train(
    given: Examples,
    table: FoldTable,
    profile: Profile,
    device: Device,
    *,
    seed: int,
    workspace: Path,
    folds: Sequence[int] | None = None,
    log: Callable[[str], None] = lambda _: None,
    **settings: Any,
) -> "Trained":
    """Train the folds of a table, by default all."""
    from streetineq_assets.models.fold_training import folds_with_rows
    from streetineq_assets.models.training import train_folds

    tested = folds_with_rows(table.folds if folds is None else folds, table, given.rows, log)
    share = profile.validation_share
    splits = {
        fold: split_rows(table, fold, given.rows, validation_share=share, seed=seed)
        for fold in tested
    }
    settings = {"fingerprint": {}} | settings
    return train_folds(
        given,
        splits,
        profile,
        device,
        scheme=table.scheme,
        seed=seed,
        workspace=workspace,
        log=log,
        **settings,
    )
