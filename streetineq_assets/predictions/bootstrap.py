"""Intervals of the metrics, by resampling blocks of areas.

What is drawn is a block, with all of its areas; never the image or the location: images of one area
share its label, and near areas share their errors (`blocks`). Deciles are not cut again within a
draw. A draw is a row of counts: how often each block is in it. All models get the same draws, so
that their differences have intervals too. The 10 x 10 tables of all draws are one matrix product of
the counts with the tables of the blocks.

The ends are the expanded percentiles of Hesterberg 2015, What teachers should know about the
bootstrap, The American Statistician 69(4): with G blocks, the percentiles of the draws that a
normal distribution has at sqrt(G / (G - 1)) times Student's quantile of G - 1 degrees of freedom.
With many blocks they are the plain percentiles; with few, these would be too near to each other.

How often the 95 % interval of Spearman's correlation of the score holds, by simulation. The true
value is its mean over the cities; areas lie as densely as London's; .7 of the actual value and the
named share of the error are spatial and fall off exponentially (at 3 km and 2 km to 1/e):

| areas | share | LSOAs | groups of five | blocks of the map |
|---|---|---|---|---|
| 50 | 0 / .3 / .6 | .97 / .96 / .93 | .98 / .98 / .96 | .98 / .98 / .96 |
| 500 | 0 / .3 / .6 | .99 / .84 / .69 | .99 / .92 / .82 | .99 / .98 / .97 |
| 1,500 | 0 / .3 / .6 | .95 / .69 / .60 | .96 / .77 / .68 | .96 / .97 / .94 |

Of 500 or 1,500 areas with errors at 1 km, blocks hold in .96 to .99; at 4 km and a share of .6 in
.94 of 500 areas and .90 of 1,500 (LSOAs .58 and .41): eight blocks are then narrower than errors
are alike, and fewer tell too little. From 100 (1,500 areas) to 400 cities each. Where nothing is
spatial the intervals hold too often: ranks within blocks of like labels vary more than the city's.
Tried and left: plain percentiles (.95 with 13 blocks where these have .97), Fisher's z with
Student's quantiles (the same, but for correlations alone), blocks once as wide as the range (.94),
and a fixed number of blocks (6 to 24: .94 to .99, and wide where errors are independent). The study
is `streetineq_tests.benchmarks.bench_coverage`.
"""

from dataclasses import dataclass
from functools import cache
from statistics import NormalDist

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from streetineq_assets.labels.deciles import N_DECILES
from streetineq_assets.predictions import metrics
from streetineq_assets.predictions.blocks import Blocks

LEVEL = 0.95
DRAWS = 2000
FEWEST_BLOCKS = 6  # with fewer, the percentiles lie beyond what 2,000 draws tell
_NO_SPREAD = 1e-12  # a variance below it is rounding
_DRAWS_AT_ONCE = 50


@dataclass(frozen=True)
class Forecast:
    """What one model says of n areas.

    Attributes:
        decile: (n,) int64 of 1..10.
        score: (n,) float64, any scale that rises with the decile.
        probabilities: (n, 10), or None for a model that gives none: its ranked probability score
            is that of a sure forecast.
    """

    decile: np.ndarray
    score: np.ndarray
    probabilities: np.ndarray | None = None

    @property
    def key(self) -> tuple[bytes, ...]:
        """Of its numbers: forecasts of the same key are the same."""
        arrays = (self.decile, self.score, self.probabilities)
        return tuple(b"" if each is None else each.tobytes() for each in arrays)

    def at(self, areas: np.ndarray) -> "Forecast":
        """The forecast for some of the areas.

        Args:
            areas: (n,) bool.
        """
        chosen = None if self.probabilities is None else self.probabilities[areas]
        return Forecast(self.decile[areas], self.score[areas], chosen)


def metric_intervals(
    actual: ArrayLike,
    predicted: ArrayLike,
    score: ArrayLike,
    *,
    blocks: ArrayLike,
    draws: int = DRAWS,
    seed: int = 0,
    level: float = LEVEL,
) -> pd.DataFrame:
    """Every metric with its interval, by resampling whole blocks with replacement.

    Args:
        actual: (n,) whole numbers 1..10.
        predicted: (n,) whole numbers 1..10.
        score: (n,) numbers, any scale that rises with the decile.
        blocks: (n,) names of the blocks, such as those of `blocks.resampling_units`, or MSOAs.
        draws: how many resamples.
        seed: of the draws.
        level: of the intervals, between 0 and 1.

    Returns:
        `metric` (the names of `metrics.scores` without probabilities, `spearman_score` and
        `pearson_score`), `value`, `lower`, `upper`. A metric is NaN where it is undefined; an
        interval is NaN where there are fewer than `FEWEST_BLOCKS` blocks, or where its metric is
        undefined in half of the draws or more.

    Raises:
        ValueError: lengths that differ, a decile outside 1..10, a score that is not a finite
            number, a missing block, or a level or number of draws out of range.
    """
    actual = metrics.as_deciles(actual, "actual")
    predicted = metrics.as_deciles(predicted, "predicted")
    number, names = np.asarray(score, dtype=np.float64).ravel(), pd.Series(np.asarray(blocks))
    _refuse(actual, predicted, number, names)
    if not 0 < level < 1 or draws < 1:
        raise ValueError(f"level is {level} and draws {draws}: they must be in (0, 1) and above 0")
    unit = Blocks.of("given", pd.factorize(names)[0])
    forecast = Forecast(predicted, number)
    values = evaluate(actual, forecast, unit, np.ones((1, unit.n_blocks)))
    drawn = evaluate(actual, forecast, unit, draw_blocks(unit.n_blocks, draws, seed))
    rows = [
        (name, float(value[0]), *percentile_interval(drawn[name], unit.n_blocks, level))
        for name, value in values.items()
        if name != "rps"
    ]
    return pd.DataFrame(rows, columns=["metric", "value", "lower", "upper"])


def draw_blocks(n_blocks: int, draws: int, seed: int) -> np.ndarray:
    """How often each block is in each resample of as many blocks: (draws, n_blocks) float64."""
    if not n_blocks:
        return np.empty((draws, 0))
    picked = np.random.default_rng(seed).integers(0, n_blocks, size=(draws, n_blocks))
    flat = picked + np.arange(draws)[:, None] * n_blocks
    counts = np.bincount(flat.ravel(), minlength=draws * n_blocks)
    return counts.reshape(draws, n_blocks).astype(np.float64)


def evaluate(
    actual: np.ndarray, forecast: Forecast, blocks: Blocks, counts: np.ndarray
) -> dict[str, np.ndarray]:
    """Every metric of a model in every draw: name to (b,) float64.

    Beside the metrics of `metrics.scores` these are `pearson_score` and `spearman_score`, the
    correlations of the continuous score with the actual decile.

    Args:
        actual: (n,) int64 of 1..10.
        blocks: of the n areas; a block may have none.
        counts: (b, blocks), how often each block counts; a row of ones gives the metric itself.
    """
    cell = blocks.label * N_DECILES**2 + metrics.cells(actual, forecast.decile)
    by_block = np.bincount(cell, minlength=blocks.n_blocks * N_DECILES**2)
    tables = counts @ by_block.reshape(blocks.n_blocks, N_DECILES**2).astype(np.float64)
    found = metrics.of_tables(tables.reshape(-1, N_DECILES, N_DECILES))
    found["rps"] = _means(blocks, counts, _rps(actual, forecast)[:, None])[:, 0]
    found["spearman_score"] = _rank_correlation(actual, forecast.score, blocks, counts)
    found["pearson_score"] = _pearson(actual, forecast.score, blocks, counts)
    return found


def percentile_interval(
    values: np.ndarray, n_blocks: int, level: float = LEVEL
) -> tuple[float, float]:
    """Lower and upper end of the interval of a metric from its values in the draws.

    Args:
        values: (b,), NaN where the metric is undefined in a draw.
        n_blocks: how many blocks were resampled.
        level: the share of intervals that hold.

    Returns:
        NaN twice where it is undefined in half of the draws or more, or there are too few blocks.
    """
    defined = values[~np.isnan(values)]
    if n_blocks < FEWEST_BLOCKS or 2 * len(defined) <= len(values):
        return float("nan"), float("nan")
    tail = expanded_tail(n_blocks, level)
    lower, upper = np.quantile(defined, [tail, 1 - tail])
    return float(lower), float(upper)


@cache
def expanded_tail(n_blocks: int, level: float) -> float:
    """Which share of the draws lies outside the interval at each end: expanded percentiles."""
    from scipy.stats import t

    student = float(t.ppf((1 + level) / 2, n_blocks - 1))
    return NormalDist().cdf(-np.sqrt(n_blocks / (n_blocks - 1)) * student)


def _refuse(
    actual: np.ndarray, predicted: np.ndarray, score: np.ndarray, blocks: pd.Series
) -> None:
    lengths = [len(each) for each in (actual, predicted, score, blocks)]
    if len(set(lengths)) > 1:
        named = ", ".join(map(str, lengths))
        raise ValueError(f"actual, predicted, score and blocks have {named} entries, not as many")
    if wrong := int((~np.isfinite(score)).sum()):
        raise ValueError(f"{wrong} of {len(score)} scores are not finite: leave these areas out")
    if missing := int(blocks.isna().sum()):
        raise ValueError(f"{missing} of {len(blocks)} areas have no block: give each one")


def _rps(actual: np.ndarray, forecast: Forecast) -> np.ndarray:
    if forecast.probabilities is None:
        return np.abs(actual - forecast.decile) / (N_DECILES - 1)
    return metrics.ranked_probability_scores(actual, forecast.probabilities)


def _means(blocks: Blocks, counts: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Means of some values of the areas, (n, v), in each draw: (b, v); NaN without areas."""
    sums = [np.bincount(blocks.label, column, minlength=blocks.n_blocks) for column in values.T]
    sizes = np.bincount(blocks.label, minlength=blocks.n_blocks)
    total = counts @ np.column_stack([*sums, sizes])
    return metrics.ratio(total[:, :-1], np.broadcast_to(total[:, -1:], total[:, :-1].shape))


def _pearson(
    actual: np.ndarray, score: np.ndarray, blocks: Blocks, counts: np.ndarray
) -> np.ndarray:
    """Pearson's r of score and actual decile in each draw; NaN where a draw holds one value."""
    x, y = _standardised(score), _standardised(actual.astype(np.float64))
    products = np.column_stack([x, y, x * x, y * y, x * y])
    mx, my, mxx, myy, mxy = _means(blocks, counts, products).T
    spread = np.sqrt(np.maximum(mxx - mx**2, 0) * np.maximum(myy - my**2, 0))
    return metrics.ratio(mxy - mx * my, np.where(spread > _NO_SPREAD, spread, 0.0))


def _standardised(values: np.ndarray) -> np.ndarray:
    """Mean 0 and spread 1, so that differences of squares keep their figures; 0 if constant."""
    if not len(values) or np.ptp(values) == 0:
        return np.zeros(len(values))
    return (values - values.mean()) / values.std()


def _rank_correlation(
    actual: np.ndarray, score: np.ndarray, blocks: Blocks, counts: np.ndarray
) -> np.ndarray:
    """Spearman's rho of score and actual decile, average ranks, in each draw: (b,).

    An area that was drawn twice counts as two with the same score.
    """
    order = np.argsort(score, kind="stable")
    distinct, tie = np.unique(score[order], return_inverse=True)
    sorted_areas = _SortedAreas(
        blocks=blocks.label[order],
        tie=tie,
        starts=np.searchsorted(score[order], distinct),
        of_decile=(actual[order, None] == np.arange(1, N_DECILES + 1)).astype(np.float64),
    )
    chunks = range(0, len(counts), _DRAWS_AT_ONCE)
    found = [sorted_areas.correlation(counts[at : at + _DRAWS_AT_ONCE]) for at in chunks]
    return np.concatenate(found)


def _sums_of_cubes(values: np.ndarray) -> np.ndarray:
    return np.einsum("ij,ij,ij->i", values, values, values)


@dataclass(frozen=True)
class _SortedAreas:
    """Areas in ascending order of their score.

    Attributes:
        blocks: (n,) block of each.
        tie: (n,) number of the distinct score that each has.
        starts: (ties,) the first area of each distinct score.
        of_decile: (n, 10) of 0 and 1, the actual decile of each.
    """

    blocks: np.ndarray
    tie: np.ndarray
    starts: np.ndarray
    of_decile: np.ndarray

    def correlation(self, counts: np.ndarray) -> np.ndarray:
        """Spearman's rho in each draw, (b, blocks) -> (b,).

        With ranks about their mean, the sums of squares are those of N numbers less what ties take:
        (N^3 - sum of t^3) / 12 over groups of t equal values (Kendall 1945, Biometrika 33).
        """
        if not len(self.blocks):
            return np.full(len(counts), np.nan)
        drawn = counts[:, self.blocks]
        all_differ = len(self.starts) == len(self.blocks)
        ties = drawn if all_differ else np.add.reduceat(drawn, self.starts, axis=1)
        n = ties.sum(axis=1, keepdims=True)
        rank = np.cumsum(ties, axis=1) - (ties + n) / 2  # less the mean rank
        deciles = drawn @ self.of_decile
        rank_of_decile = np.cumsum(deciles, axis=1) - (deciles + n) / 2
        within = (drawn * (rank if all_differ else rank[:, self.tie])) @ self.of_decile
        product = (within * rank_of_decile).sum(axis=1)
        cubes = n[:, 0] ** 3
        squares = (cubes - _sums_of_cubes(ties)) * (cubes - _sums_of_cubes(deciles))
        varied = (np.count_nonzero(ties, axis=1) > 1) & (np.count_nonzero(deciles, axis=1) > 1)
        return metrics.ratio(12 * product, np.where(varied, np.sqrt(np.maximum(squares, 0)), 0.0))
