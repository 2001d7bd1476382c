"""How sure an area's decile is: contiguous conformal intervals on the scale of the deciles.

The method is conformal prediction with the ranked probability score as nonconformity score (Haas,
Killmaier, Javanmardi, Hüllermeier, PMLR 337, 2026). For an area with cumulative probabilities F,
decile y has the nonconformity score sum_k (F_k - [y <= k])^2 over the nine borders. As a function
of y this falls up to the median of F and rises after it.

A decile is accepted where it scores no more than a limit, a quantile of the scores that the *other*
folds' areas have with their actual deciles. An area's own label does not enter its limit. It is not
wholly unseen all the same: the networks of the other folds, whose scores make the limit, learned
from it.

Where there are enough areas the limit is one for each decile, a quantile over the areas that
actually are of this decile (label-conditional or Mondrian conformal prediction; Vovk, Gammerman,
Shafer, *Algorithmic Learning in a Random World*, 2005, section 4.5). Then of the areas of *every*
decile at least the named share lie within, if areas of a decile are exchangeable between folds.
What is accepted may have gaps, and the interval is its hull. With fewer areas there is one limit
for all deciles, and the promise is for all areas together: the middle deciles are then covered
more, and the ends less. With fewer still there is no interval. Neighbours are not quite
exchangeable, so coverage is reported.

Where nothing is accepted the interval would be empty, and under `mean_score` the ranked decile may
lie outside: it is widened to hold the median and the ranked decile, which can only add to the
coverage.
"""

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

from streetineq_assets.predictions.calibration import Link

LEVEL = 0.9
_DECILES = np.arange(1, 11)
_BORDERS = np.arange(1, 10)
_ROUNDING = 1e-12
_MOST_LOCATIONS = (1, 2, 4, 9, 19)  # of an area, in the groups by which coverage is counted
_LOCATIONS = ("1", "2", "3-4", "5-9", "10-19", "20+")


def nonconformity_scores(probabilities: np.ndarray) -> np.ndarray:
    """Sum over borders of squared errors, for every decile: (n, 10) -> (n, 10) float64."""
    cumulative = np.cumsum(probabilities, axis=1)[:, :9]
    steps = (_DECILES[:, None] <= _BORDERS).astype(np.float64)
    return ((cumulative[:, None, :] - steps[None]) ** 2).sum(axis=2)


def decile_intervals(
    probabilities: np.ndarray,
    *,
    actual: pd.Series,
    folds: pd.Series,
    predicted: pd.Series,
    level: float = LEVEL,
) -> pd.DataFrame:
    """Interval of each area's actual decile, calibrated on the areas of the other folds.

    Args:
        probabilities: (n, 10), rows sum to 1; a row of NaN gets no interval and calibrates none.
        actual: (n,) deciles, NA where unknown: the area gets an interval but calibrates none.
        folds: (n,), NA where an area lies in several: it gets no interval and calibrates none.
        predicted: (n,) deciles that the interval must hold.
        level: share of areas that the intervals promise to hold.

    Returns:
        `lower`, `upper` (Int8): missing where the other folds have fewer than `fewest(level)` areas
        with a label.
    """
    given = ~np.isnan(probabilities[:, 0])
    scores = nonconformity_scores(np.nan_to_num(probabilities, nan=0.1))
    rows = np.arange(len(scores))
    decile, fold = _coded(actual, folds.where(given))
    limits = _limits(scores[rows, decile - 1], decile, fold, level)
    held = scores <= limits + _ROUNDING
    held[rows, scores.argmin(axis=1)] = True
    held[rows, predicted.to_numpy(np.int64) - 1] = True
    ends = {"lower": held.argmax(axis=1) + 1, "upper": 10 - held[:, ::-1].argmax(axis=1)}
    none = np.isnan(limits).any(axis=1)
    return pd.DataFrame(
        {name: pd.Series(end, dtype="Int8").mask(none) for name, end in ends.items()}
    )


def calibrated_intervals(
    score: pd.Series,
    links: Mapping[int, Link],
    *,
    actual: pd.Series,
    folds: pd.Series,
    predicted: pd.Series,
    level: float = LEVEL,
) -> pd.DataFrame:
    """As `decile_intervals`, each fold and the areas that calibrate it by the fold's own link.

    Were every area judged by the link of its own fold, the limits would hold scores of other links
    than that of the areas that they are for: on scores that say little, .88 would be covered at .9.

    Args:
        score: (n,) areas' out-of-fold scores.
        links: fold to its link, as `calibration.calibrate` fits it; without one, no interval.
        actual, folds, predicted, level: as for `decile_intervals`.
    """
    ends = pd.DataFrame(pd.NA, index=range(len(score)), columns=["lower", "upper"], dtype="Int8")
    for fold, link in links.items():
        found = decile_intervals(
            link.probabilities(score.to_numpy(np.float64)),
            actual=actual,
            folds=folds,
            predicted=predicted,
            level=level,
        )
        mine = (folds == fold).fillna(False).to_numpy(bool)
        ends[mine] = found[mine]
    return ends


def fewest(level: float) -> int:
    """The fewest calibrating areas by which intervals can promise a level: 9 for 0.9.

    With n areas the limit is the ceil((n + 1) level)-th smallest score, which must be among them.
    """
    return math.ceil(round(level / (1 - level), 9))


def are_label_conditional(actual: pd.Series, folds: pd.Series, level: float = LEVEL) -> bool:
    """Whether there are enough areas for a limit of each decile, in all folds.

    That is `fewest(level)` areas of every decile among the other folds, whichever fold is left out:
    at 0.9, and with five folds that are even within deciles, from 120 areas on.

    Args:
        actual, folds: as for `decile_intervals`.
    """
    decile, fold = _coded(actual, folds)
    return _each_decile_has_enough(decile, fold, level)


def coverage(areas: pd.DataFrame) -> pd.DataFrame:
    """How often the intervals hold: of all areas, by actual decile, by number of locations.

    Args:
        areas: `actual_decile, n_locations, lower, upper`; rows without an interval or an actual
            decile do not count.

    Returns:
        `grouped_by` (`all`, `actual_decile`, `n_locations`), `value` (of the group, as text),
        `actual` (Int8, the decile of a group by decile, else NA), `n_lsoas, coverage, mean_width`;
        groups without areas have no row.
    """
    known = areas.dropna(subset=["actual_decile", "lower", "upper"]).reset_index(drop=True)
    decile = known["actual_decile"].astype(np.int64)
    holds = decile.between(known["lower"].astype(np.int64), known["upper"].astype(np.int64))
    counted = pd.DataFrame(
        {
            "holds": holds.astype(np.float64),
            "width": (known["upper"] - known["lower"] + 1).astype(np.float64),
        }
    )
    groups = {
        "all": pd.Series(0, index=known.index),
        "actual_decile": decile,
        "n_locations": np.searchsorted(_MOST_LOCATIONS, known["n_locations"]),
    }
    parts = [_covered(counted, by, name) for name, by in groups.items()]
    return pd.concat(parts, ignore_index=True)


def _covered(counted: pd.DataFrame, by: pd.Series | np.ndarray, name: str) -> pd.DataFrame:
    texts = {"all": lambda _: "all", "actual_decile": str, "n_locations": _LOCATIONS.__getitem__}
    found = counted.assign(by=np.asarray(by)).groupby("by", as_index=False)
    table = found.agg(
        n_lsoas=("holds", "size"), coverage=("holds", "mean"), mean_width=("width", "mean")
    )
    actual = table["by"] if name == "actual_decile" else pd.NA
    table = table.assign(
        grouped_by=name,
        value=[texts[name](each) for each in table["by"]],
        actual=pd.array(np.broadcast_to(actual, len(table)), dtype="Int8"),
    )
    return table[["grouped_by", "value", "actual", "n_lsoas", "coverage", "mean_width"]]


def _coded(actual: pd.Series, folds: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Deciles with 0 and folds with -1 where they are unknown: (n,) and (n,) int64."""
    return actual.fillna(0).to_numpy(np.int64), folds.fillna(-1).to_numpy(np.int64)


def _each_decile_has_enough(decile: np.ndarray, fold: np.ndarray, level: float) -> bool:
    known = (decile > 0) & (fold >= 0)
    counts = np.zeros((fold.max(initial=-1) + 1, len(_DECILES)), np.int64)
    np.add.at(counts, (fold[known], decile[known] - 1), 1)
    tested = np.unique(fold[fold >= 0])
    others = counts.sum(axis=0) - counts[tested]
    return bool(others.min(initial=0 if not len(tested) else fewest(level)) >= fewest(level))


def _limits(own: np.ndarray, decile: np.ndarray, fold: np.ndarray, level: float) -> np.ndarray:
    """(n, 10) limit of each area and decile, NaN where there is none.

    Args:
        own: (n,) score of each area with its actual decile.
        decile: (n,) actual deciles, 0 where unknown.
        fold: (n,), -1 where there is none.
    """
    known = (decile > 0) & (fold >= 0)
    by_label = _each_decile_has_enough(decile, fold, level)
    limits = np.full((len(own), len(_DECILES)), np.nan)
    for each in np.unique(fold[fold >= 0]):
        others = known & (fold != each)
        if by_label:
            limit = [_limit(own[others & (decile == label)], level) for label in _DECILES]
        else:
            limit = [_limit(own[others], level)] * len(_DECILES)
        limits[fold == each] = limit
    return limits


def _limit(scores: np.ndarray, level: float) -> float:
    """The ceil((n + 1) level)-th smallest, and NaN where there are fewer than that."""
    rank = math.ceil(round((len(scores) + 1) * level, 9))
    return float(np.sort(scores)[rank - 1]) if rank <= len(scores) else math.nan
