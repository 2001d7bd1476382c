"""Intervals of means by group, by resampling the clusters that areas lie in.

Every measure of a group is a ratio of two sums over its areas, so all resamples of all groups are
one matrix product. Percentiles of resamples are too narrow where clusters are few: they are taken
farther out, as far as Student's t is from the normal distribution (Hesterberg, Am. Stat. 69:371,
2015).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streetineq_assets.evidence.clustered import MIN_CLUSTERS
from streetineq_assets.predictions.bootstrap import LEVEL, draw_areas
from streetineq_assets.predictions.metrics import ratio

Floats = NDArray[np.float64]

DRAWS = 1000


class Ratios(NamedTuple):
    """Measures by group: (groups, measures) each; NaN where undefined."""

    value: Floats
    lower: Floats
    upper: Floats


def ratios(
    numerators: Floats,
    denominators: Floats,
    groups: NDArray[np.int64],
    clusters: NDArray[np.int64],
    *,
    shares: NDArray[np.bool_],
    seed: int,
) -> Ratios:
    """Each group's sum of numerators over its sum of denominators, with the interval at 95 %.

    Args:
        numerators, denominators: (n, measures), zero where an area does not count.
        groups: (n,) number of each area's group from 0; -1 for none.
        clusters: (n,) number of each area's cluster from 0.
        shares: (measures,) which measures lie between 0 and 1.

    Returns:
        Intervals are NaN in fewer than `MIN_CLUSTERS` clusters. Of a share that is 0 or 1 in all
        areas, resamples show no spread: the interval is Clopper's and Pearson's (Biometrika
        26:404, 1934), as if each cluster were one area.
    """
    above, below = (_by_cluster(each, groups, clusters) for each in (numerators, denominators))
    value = ratio(above.sum(axis=0), below.sum(axis=0))
    counts = draw_areas(len(above), DRAWS, seed).astype(np.float64)
    drawn = ratio(np.tensordot(counts, above, axes=1), np.tensordot(counts, below, axes=1))
    n_clusters = (below > 0).sum(axis=0)
    lower, upper = np.full_like(value, np.nan), np.full_like(value, np.nan)
    for group, measure in np.argwhere(n_clusters >= MIN_CLUSTERS):
        n, draws = int(n_clusters[group, measure]), drawn[:, group, measure]
        ends = _percentiles(draws[~np.isnan(draws)], n)
        if np.isnan(ends[0]) and shares[measure]:
            ends = _of_none_or_all(float(value[group, measure]), n)
        lower[group, measure], upper[group, measure] = ends
    return Ratios(value, lower, upper)


def _by_cluster(values: Floats, groups: NDArray, clusters: NDArray) -> Floats:
    """(clusters, groups, measures) sums of areas that have a group."""
    sums = np.zeros((clusters.max() + 1, groups.max() + 1, values.shape[1]))
    grouped = groups >= 0
    np.add.at(sums, (clusters[grouped], groups[grouped]), values[grouped])
    return sums


def _percentiles(draws: Floats, n_clusters: int) -> tuple[float, float]:
    """NaN where all draws are the same, so that they say nothing of their spread."""
    from scipy.stats import norm, t

    if len(draws) < DRAWS / 2 or np.ptp(draws) < 1e-12:
        return np.nan, np.nan
    farther = np.sqrt(n_clusters / (n_clusters - 1)) * t.ppf((1 - LEVEL) / 2, n_clusters - 1)
    tail = float(norm.cdf(farther))
    lower, upper = np.quantile(draws, [tail, 1 - tail])
    return float(lower), float(upper)


def _of_none_or_all(share: float, n: int) -> tuple[float, float]:
    """The exact interval of a share of n that is 0 or 1."""
    reach = 1 - ((1 - LEVEL) / 2) ** (1 / n)
    if share == 0.0:
        return 0.0, reach
    return (1 - reach, 1.0) if share == 1.0 else (np.nan, np.nan)
