"""The areas of a fold's training, validation and test: mean codes, counts, places and scores."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from streetineq_assets.models.dataset import Codes
from streetineq_assets.models.folds import FoldTable, Split
from streetineq_assets.models.map_baselines import guess_from_map

_CHUNK_ROWS = 512


@dataclass(frozen=True)
class CodeSums:
    """Sums of the mean codes of locations, by group.

    Attributes:
        group: (n,) the group of each row.
        n_views: (n,) the views of each row that are there.
        sums: (groups, width) float64.
    """

    group: NDArray[np.int64]
    n_views: NDArray[np.int64]
    sums: NDArray[np.float64]

    def of(self, mask: NDArray[np.bool_]) -> "CodeSums":
        """The same sums, of some of the rows."""
        return CodeSums(self.group[mask], self.n_views[mask], self.sums)


@dataclass(frozen=True)
class Areas:
    """The areas of some rows: their codes' means and what else a baseline may use.

    Attributes:
        area, decile: (a,) codes, and actual deciles.
        n_images: (a,).
        centroids: (a, 2) metres on EPSG:27700, NaN where unknown.
        msoa: (a,) codes of the middle layer areas, None or NaN where unknown.
        means: (a, width) mean code.
        scores: (a,) the network's mean out-of-fold score, NaN where there is none.
    """

    area: NDArray
    decile: NDArray[np.float64]
    n_images: NDArray[np.float64]
    centroids: NDArray[np.float64]
    msoa: NDArray
    means: NDArray[np.float64]
    scores: NDArray[np.float64]

    @property
    def on_the_map(self) -> pd.DataFrame:
        """`easting_m, northing_m, msoa, decile`, as `map_baselines` takes them."""
        east, north = self.centroids.T
        places = {"easting_m": east, "northing_m": north, "msoa": self.msoa}
        return pd.DataFrame(places | {"decile": self.decile})


@dataclass(frozen=True)
class FoldAreas:
    """What one fold's baselines may learn from, and what they are to score.

    Attributes:
        train, validation, test: the areas of the fold's network in these parts.
    """

    train: Areas
    validation: Areas
    test: Areas
    _guesses: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]] = field(
        default_factory=dict, init=False
    )

    @cached_property
    def known(self) -> Areas:
        """Training and validation areas; one in both (scheme `location`) stays twice."""
        pairs = [(getattr(self.train, n), getattr(self.validation, n)) for n in _FIELDS]
        return Areas(*map(np.concatenate, pairs))

    def map_guesses(self, model: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """What a map says of each known area without its own decile, and of each test area.

        Args:
            model: one of `map_baselines.MAP_MODELS`; each is fitted once.
        """
        if model not in self._guesses:
            known, test = self.known.on_the_map, self.test.on_the_map
            self._guesses[model] = guess_from_map(known, test, model=model)
        return self._guesses[model]


_FIELDS = tuple(Areas.__dataclass_fields__)


def sum_codes(codes: Codes, rows: pd.DataFrame, table: FoldTable) -> CodeSums:
    """One pass over the codes: a group is an area, or a part of it that is learned from alone.

    Parts of an area add up to it, so these sums serve other fold tables with the same repeats too.

    Args:
        rows: `row` (in the codes, ascending), `location_id, area`.
        table: the folds; locations of one area lie in several under the scheme `location`, and
            those that repeat others are left out of some folds.
    """
    ids = rows["location_id"].astype(str)
    keys = [rows["area"].astype(str), ids.where(ids.isin(table.loose_locations), "")]
    if table.locations is not None:
        keys.append(table.fold_of(rows))
    group = rows.groupby(keys, sort=True).ngroup().to_numpy(np.int64)
    sums = np.zeros((int(group.max(initial=-1)) + 1, codes.reader.width))
    at, start = rows["row"].to_numpy(np.int64), 0
    n_views = np.full(len(at), codes.reader.views)
    for features in codes.chunks(at, _CHUNK_ROWS):
        part = slice(start, start + len(features))
        if (present := codes.present(at[part])) is not None:
            n_views[part] = present.sum(axis=1)
        # The codes of absent views are 0.
        means = features.sum(axis=1, dtype=np.float32) / n_views[part, None].astype(np.float32)
        _add_rows(sums, group[part], means)
        start = part.stop
    return CodeSums(group, n_views, sums)


def fold_areas(
    rows: pd.DataFrame, split: Split, sums: CodeSums, centroids: pd.DataFrame
) -> FoldAreas:
    """The areas of a split's rows.

    Args:
        rows: `location_id, area, decile` and, if there are any, the network's scores `h`.
        sums: of the same rows.
        centroids: `area, easting_m, northing_m` and, from version 2 of the folds on, `msoa`.
    """
    places = centroids.set_index("area").reindex(columns=["easting_m", "northing_m", "msoa"])
    parts = (split.train, split.validation, split.test)
    return FoldAreas(*(_areas(rows, mask, sums, places) for mask in parts))


def _areas(
    rows: pd.DataFrame, mask: NDArray[np.bool_], sums: CodeSums, places: pd.DataFrame
) -> Areas:
    chosen = rows[mask].assign(group=sums.group[mask], n_views=sums.n_views[mask])
    scores = chosen["h"] if "h" in chosen else pd.Series(np.nan, index=chosen.index)
    grouped = chosen.assign(h=scores).groupby("area", sort=True)
    areas = grouped.agg(
        decile=("decile", "first"),
        n=("location_id", "size"),
        n_images=("n_views", "sum"),
        h=("h", "mean"),
    )
    members = chosen.drop_duplicates("group")
    totals = np.zeros((len(areas), sums.sums.shape[1]))
    at = areas.index.get_indexer(members["area"])
    _add_rows(totals, at, sums.sums[members["group"]])
    placed = places.reindex(areas.index)
    return Areas(
        area=areas.index.to_numpy(str),
        decile=areas["decile"].to_numpy(np.float64),
        n_images=areas["n_images"].to_numpy(np.float64),
        centroids=placed[["easting_m", "northing_m"]].to_numpy(np.float64),
        msoa=placed["msoa"].to_numpy(object),
        means=totals / areas["n"].to_numpy(np.float64)[:, None],
        scores=areas["h"].to_numpy(np.float64),
    )


def _add_rows(totals: NDArray, at: NDArray[np.integer], values: NDArray) -> None:
    """totals[at[i]] += values[i] for every i; `np.add.at` is slow on wide rows."""
    if not len(at):
        return
    order = np.argsort(at, kind="stable")
    starts = np.flatnonzero(np.diff(at[order], prepend=-1))
    totals[at[order][starts]] += np.add.reduceat(values[order], starts, axis=0, dtype=np.float64)
