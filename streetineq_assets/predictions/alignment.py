"""Scores of all folds on one scale: each fold's network has a level and a spread of its own.

Areas of different folds are ranked among each other, though their scores are of different networks.
Each fold's scores are moved and stretched so that its areas have the mean and the spread that areas
have on average over the folds.

This takes for granted that the areas of a fold are, as a whole, as well-off as those of another.
Folds by `area` nearly are: areas are dealt by their mean decile over the city's outcomes, so the
more these outcomes differ, the less alike the folds are in one of them. Folds by `location` are, by
chance. Spatial blocks differ in how well-off they are, and alignment would take that away; a
hold-out and folds by city have one network. No label is used here, but the dealing of the folds did
use them.
"""

import numpy as np
import pandas as pd

ALIKE = ("area", "location")
FEWEST = 5  # areas of a fold by which its scale is known at all


def aligned(locations: pd.DataFrame, scheme: str) -> tuple[pd.DataFrame, str]:
    """The locations with their folds on one scale; or as they are, and in words why.

    Args:
        locations: `area, fold, h`, one row per location.
        scheme: by which the folds were made.
    """
    why = why_not_aligned(locations, scheme)
    return (locations if why else align_folds(locations)), why


def why_not_aligned(locations: pd.DataFrame, scheme: str) -> str:
    """In words why the folds are not put on one scale; empty where they can be.

    Args:
        locations: `area, fold`.
        scheme: by which the folds were made.
    """
    if scheme not in ALIKE:
        return (
            f"not aligned: folds by {scheme} are not alike; alignment needs folds by "
            f"{' or '.join(ALIKE)}"
        )
    n_lsoas = locations.groupby("fold")["area"].nunique()
    if len(n_lsoas) and n_lsoas.min() < FEWEST:
        return (
            f"not aligned: fold {n_lsoas.idxmin()} has {n_lsoas.min()} areas, fewer than {FEWEST}, "
            "by which its scale is not known"
        )
    return ""


def align_folds(locations: pd.DataFrame) -> pd.DataFrame:
    """The locations with the scores of every fold on the scale of their average fold.

    Args:
        locations: `area, fold, h`, where `why_not_aligned` has no objection.

    Returns:
        A copy with `h` (float64, logit) such that the plain means of the areas of each fold have
        one mean and one standard deviation; a fold whose areas are all equal is moved only.
    """
    means = locations.groupby(["fold", "area"])["h"].mean().astype(np.float64)
    scale = means.groupby(level="fold").agg(level="mean", spread=lambda h: h.std(ddof=0))
    spread = float(np.sqrt((scale["spread"] ** 2).mean()))
    scale["factor"] = (spread / scale["spread"].where(scale["spread"] > 0)).fillna(1.0)
    own = scale.reindex(locations["fold"].to_numpy(np.int64)).reset_index(drop=True)
    h = locations["h"].to_numpy(np.float64)
    aligned = (h - own["level"]) * own["factor"] + scale["level"].mean()
    return locations.assign(h=aligned.to_numpy(np.float64))
