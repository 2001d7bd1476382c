"""The baselines' scores of the areas that a network predicted, as far as they can be compared."""

from typing import cast

import numpy as np
import pandas as pd

MAP_BEST = "map_best"  # no baseline: for each metric, and in each draw, the best of the maps
_SAME = 1e-9  # deciles: what differs by less differs by rounding


def aligned_scores(
    areas: pd.DataFrame, baselines: pd.DataFrame, networks_scheme: str
) -> dict[tuple[str, str], np.ndarray]:
    """Each baseline's scores in the areas' order, NaN where it has none, if it has any.

    A baseline that says the same of all areas of a fold has ranked none of them: the means of its
    folds differ by chance, and against the truth, as each lacks the fold's own areas. It is made
    constant. Under the networks' scheme a score of another fold than the network's is of folds of
    before or after: it counts as none, which `checks.evaluation_checks` reports.

    Args:
        areas: `area, fold`.
        baselines: `models.tables.BASELINES`.

    Returns:
        Baseline and scheme to (n,) float64.
    """
    aligned = {}
    for key, group in baselines.groupby(["baseline", "scheme"], sort=False):
        name, scheme = cast("tuple[str, str]", key)
        by_area = group.set_index("area")["score"]
        by_fold = group.groupby("fold")["score"]
        if (by_fold.max() - by_fold.min()).max() < _SAME:
            by_area = by_area * 0 + by_area.mean()
        score = by_area.reindex(areas["area"]).to_numpy(np.float64)
        if scheme == networks_scheme:
            score = np.where(_on_other_folds(areas, group), np.nan, score)
        if np.isfinite(score).any():
            aligned[name, scheme] = score
    return aligned


def _on_other_folds(areas: pd.DataFrame, scored: pd.DataFrame) -> np.ndarray:
    """Which areas a baseline scored in another fold than the network: (n,) bool.

    An area that is in several folds is in none of its own.
    """
    fold = scored.set_index("area")["fold"].reindex(areas["area"]).to_numpy(np.float64)
    own = areas["fold"].astype("Float64").to_numpy(np.float64, na_value=np.nan)
    return ~np.isnan(own) & ~np.isnan(fold) & (own != fold)
