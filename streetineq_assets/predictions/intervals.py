"""How sure an area's decile is: contiguous conformal intervals on the scale of the deciles.

The method is split conformal prediction with the ranked probability score as nonconformity score.
For an area with cumulative probabilities F, decile y has the nonconformity score
sum_k (F_k - [y <= k])^2 over the nine borders. As a function of y this falls up to the median of F
and rises after it, so the deciles that score no more than a limit are one unbroken run around the
median. The limit for an area is a quantile of the nonconformity scores that the *other* folds'
areas have with their actual deciles; its own fold does not count, so no area's own label shapes its
interval.

The promise is marginal: of all areas, at least the named share lie within, if areas are
exchangeable between folds. Neighbours are not quite, and single deciles may be covered less: so
coverage is reported for each decile. Where even the median scores more than the limit the run
would be empty, and under `mean_score` the ranked decile may lie outside: the interval is then
widened to hold both, which can only add to the coverage.
"""

import numpy as np
import pandas as pd

LEVEL = 0.9
_DECILES = np.arange(1, 11)
_BORDERS = np.arange(1, 10)
_ROUNDING = 1e-12


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
        probabilities: (n, 10), rows sum to 1.
        actual: (n,) deciles, NA where unknown: the area gets an interval but calibrates none.
        folds: (n,), NA where an area lies in several: it gets no interval and calibrates none.
        predicted: (n,) deciles that the interval must hold.
        level: share of areas that the intervals promise to hold.

    Returns:
        `lower`, `upper` (Int8): 1 and 10 where the other folds have too few areas for the level.
    """
    scores = nonconformity_scores(probabilities)
    rows = np.arange(len(scores))
    known = (actual.notna() & folds.notna()).to_numpy()
    own = scores[rows, actual.fillna(1).to_numpy(np.int64) - 1]
    fold = folds.fillna(-1).to_numpy(np.int64)
    limit = np.full(len(scores), np.nan)
    for each in np.unique(fold[folds.notna()]):
        limit[fold == each] = _limit(own[known & (fold != each)], level)
    held = scores <= limit[:, None] + _ROUNDING
    held[rows, scores.argmin(axis=1)] = True
    held[rows, predicted.to_numpy(np.int64) - 1] = True
    ends = {"lower": held.argmax(axis=1) + 1, "upper": 10 - held[:, ::-1].argmax(axis=1)}
    ends = {name: pd.Series(end, dtype="Int8").mask(np.isnan(limit)) for name, end in ends.items()}
    return pd.DataFrame(ends)


def coverage(areas: pd.DataFrame) -> pd.DataFrame:
    """How often the intervals hold, per actual decile: `actual, n_lsoas, coverage, mean_width`.

    Args:
        areas: `actual_decile`, `lower`, `upper`; rows with a null in one of them do not count.
    """
    columns = ["actual_decile", "lower", "upper"]
    known = areas.dropna(subset=columns)[columns].astype(np.int64)
    holds = known["actual_decile"].between(known["lower"], known["upper"]).astype(np.float64)
    width = known["upper"] - known["lower"] + 1
    groups = known.assign(holds=holds, width=width).groupby("actual_decile", as_index=False)
    return groups.agg(
        n_lsoas=("holds", "size"), coverage=("holds", "mean"), mean_width=("width", "mean")
    ).rename(columns={"actual_decile": "actual"})


def _limit(scores: np.ndarray, level: float) -> float:
    """The ceil((n + 1) level)-th smallest, and infinity where there are fewer than that."""
    rank = int(np.ceil(round((len(scores) + 1) * level, 9)))
    return np.inf if rank > len(scores) else float(np.sort(scores)[rank - 1])
