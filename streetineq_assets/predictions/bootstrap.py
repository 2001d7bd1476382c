"""Intervals of the metrics, by resampling areas.

The unit that is drawn is the area, never the image or location: images of one area share its label.
A draw is a row of counts: how often each area is in it. All models get the same draws, so that
their differences have intervals too. With the counts as a matrix, the tables of all draws are one
matrix product, and the metrics of a thousand draws are one call.
"""

from dataclasses import dataclass

import numpy as np

from streetineq_assets.labels.deciles import N_DECILES
from streetineq_assets.predictions import metrics

LEVEL = 0.95
_NO_SPREAD = 1e-12  # a variance below it is rounding


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

    def at(self, areas: np.ndarray) -> "Forecast":
        """The forecast for some of the areas.

        Args:
            areas: (n,) bool.
        """
        chosen = None if self.probabilities is None else self.probabilities[areas]
        return Forecast(self.decile[areas], self.score[areas], chosen)


def draw_areas(n: int, draws: int, seed: int) -> np.ndarray:
    """How often each of n areas is in each resample of size n: (draws, n) float32."""
    picked = np.random.default_rng(seed).integers(0, n, size=(draws, n))
    flat = picked + np.arange(draws)[:, None] * n
    return np.bincount(flat.ravel(), minlength=draws * n).reshape(draws, n).astype(np.float32)


def evaluate(actual: np.ndarray, forecast: Forecast, counts: np.ndarray) -> dict[str, np.ndarray]:
    """Every metric of a model in every draw: name to (b,) float64.

    Beside the metrics of `metrics.scores` these are `pearson_score` and `spearman_score`, the
    correlations of the continuous score with the actual decile.

    Args:
        actual: (n,) int64 of 1..10.
        counts: (b, n), how often each area counts; one row of ones gives the metric itself.
    """
    member = np.zeros((len(actual), N_DECILES**2), dtype=np.float32)
    member[np.arange(len(actual)), metrics.cells(actual, forecast.decile)] = 1
    tables = (counts @ member).reshape(-1, N_DECILES, N_DECILES)
    found = metrics.of_tables(tables)
    found["rps"] = _weighted_mean(counts, _rps(actual, forecast))
    ranks = _ranks(counts, forecast.score), _ranks(counts, actual)
    found["spearman_score"] = _correlation(counts, *ranks)
    found["pearson_score"] = _correlation(counts, forecast.score[None], actual[None].astype(float))
    return found


def percentile_interval(values: np.ndarray, level: float = LEVEL) -> tuple[float, float]:
    """Lower and upper end of the percentile interval of a metric's draws.

    Args:
        values: (b,), NaN where the metric is undefined in a draw.

    Returns:
        NaN twice where it is undefined in half of the draws or more.
    """
    defined = values[~np.isnan(values)]
    if 2 * len(defined) <= len(values):
        return float("nan"), float("nan")
    tail = (1 - level) / 2
    lower, upper = np.quantile(defined, [tail, 1 - tail])
    return float(lower), float(upper)


def _rps(actual: np.ndarray, forecast: Forecast) -> np.ndarray:
    if forecast.probabilities is None:
        return np.abs(actual - forecast.decile) / (N_DECILES - 1)
    return metrics.ranked_probability_scores(actual, forecast.probabilities)


def _ranks(counts: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Average rank of each area in each draw, where it counts as often as it was drawn: (b, n)."""
    distinct, group = np.unique(values, return_inverse=True)
    order = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[order], np.arange(len(distinct)))
    sizes = np.add.reduceat(counts[:, order], starts, axis=1, dtype=np.float64)
    return (np.cumsum(sizes, axis=1) - (sizes - 1) / 2)[:, group]


def _correlation(counts: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Pearson's r of x and y, (1 or b, n), in each draw; NaN where a draw holds one value only."""
    x = x - _weighted_mean(counts, x)[:, None]
    y = y - _weighted_mean(counts, y)[:, None]
    spread = np.sqrt(_weighted_mean(counts, x * x) * _weighted_mean(counts, y * y))
    return metrics.ratio(_weighted_mean(counts, x * y), np.where(spread > _NO_SPREAD, spread, 0.0))


def _weighted_mean(counts: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Mean of values, (n,) or (1 or b, n), in each draw: (b,); NaN for a draw without areas."""
    total = np.einsum("bn,bn->b", counts, np.broadcast_to(values, counts.shape))
    return metrics.ratio(total, counts.sum(axis=1, dtype=np.float64))
