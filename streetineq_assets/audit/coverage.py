"""Which of a city's areas were ranked, and whether that depends on how deprived they are.

Deciles are relative: among areas that are better off than the city, the worst-off tenth is not the
city's. Where more of the well-off areas have images, all metrics are of another city.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

LEVEL = 0.95
MIN_MSOAS = 10  # fewer give no interval
_STEPS = 9  # from decile 1 to decile 10


class Trend(NamedTuple):
    """How the ranked share changes from decile 1 to decile 10; NaN where it is not known.

    Attributes:
        difference: on a straight line through all areas, from -1 to 1; positive where well-off
            areas are ranked more often.
        lower, upper: the interval at `LEVEL`.
        p_value: of a difference of nothing, two-sided.
    """

    difference: float
    lower: float
    upper: float
    p_value: float


def coverage_by_decile(areas: pd.DataFrame) -> pd.DataFrame:
    """Areas and ranked areas by actual decile.

    Args:
        areas: `decile` (1 to 10), `is_ranked`, a row for each area with a label.

    Returns:
        `actual` (1 to 10), `n_lsoas`, `n_ranked`, `share_ranked` (NaN in an empty decile).
    """
    ranked = areas["is_ranked"].astype("int64").groupby(areas["decile"].astype("int64"))
    counts = ranked.agg(["size", "sum"]).reindex(range(1, 11), fill_value=0)
    n, n_ranked = counts["size"].to_numpy(), counts["sum"].to_numpy()
    share = np.divide(n_ranked, n, out=np.full(10, np.nan), where=n > 0)
    columns = {"n_lsoas": n, "n_ranked": n_ranked, "share_ranked": share}
    return pd.DataFrame({"actual": range(1, 11)} | columns)


def coverage_trend(areas: pd.DataFrame) -> Trend:
    """Whether the ranked share rises or falls with the actual decile.

    The slope of least squares of `is_ranked` on the decile: of the Cochran-Armitage test's kind.
    Neighbours are ranked together and are alike in deprivation, so that areas are no independent
    trials; the error is therefore the jackknife's over MSOAs, each left out once, with Student's t
    of one degree fewer than MSOAs (CV3 of MacKinnon, Nielsen and Webb 2023, Journal of Econometrics
    232, 272-299). Dependence beyond MSOAs, as where a whole district lacks images, is not in it.

    Args:
        areas: `decile` (1 to 10), `is_ranked`, `msoa`, a row for each area with a label. An area
            without an MSOA is one of its own.

    Returns:
        All NaN where nothing is ranked or the deciles are all one; no interval with fewer than
        `MIN_MSOAS`. Where all areas are ranked it is nothing, for certain.
    """
    from scipy import stats

    ranked = areas["is_ranked"].to_numpy(np.float64)
    if len(areas) and ranked.all():
        return Trend(0.0, 0.0, 0.0, 1.0)
    if not ranked.any() or areas["decile"].nunique() < 2:
        return Trend(*[float("nan")] * 4)
    sums = _sums_by_msoa(areas["decile"].to_numpy(np.float64), ranked, _msoas(areas))
    slope = float(_slope(sums.sum(axis=0)))
    n = len(sums)
    if n < MIN_MSOAS:
        return Trend(_STEPS * slope, *[float("nan")] * 3)
    without = _slope((sums.sum(axis=0) - sums).T)
    error = float(np.sqrt((n - 1) / n * np.square(without - slope).sum()))
    half = float(stats.t.ppf((1 + LEVEL) / 2, n - 1)) * error
    p_value = 2 * float(stats.t.sf(abs(slope) / error, n - 1)) if error else 1.0
    ends = (_STEPS * (slope - half), _STEPS * (slope + half))
    return Trend(_STEPS * slope, *ends, p_value)


def _msoas(areas: pd.DataFrame) -> np.ndarray:
    """A number for each area's MSOA."""
    alone = "alone " + pd.Series(range(len(areas)), areas.index).astype("str")
    return pd.factorize(areas["msoa"].where(areas["msoa"].notna(), alone))[0]


def _sums_by_msoa(x: np.ndarray, y: np.ndarray, msoas: np.ndarray) -> np.ndarray:
    """(n_msoas, 5): number, sums of x, y, x squared, and x times y."""
    columns = (np.ones_like(x), x, y, x * x, x * y)
    return np.stack([np.bincount(msoas, weights=column) for column in columns], axis=1)


def _slope(sums: np.ndarray) -> np.ndarray:
    """Least squares from sums, along the first axis; 0 where x does not vary."""
    n, x, y, xx, xy = sums
    spread = n * xx - x * x
    return np.divide(n * xy - x * y, spread, out=np.zeros_like(spread), where=spread > 0)
