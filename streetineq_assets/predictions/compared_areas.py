"""The areas on which models are compared, with the draws that they share."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from streetineq_assets.labels.deciles import N_DECILES, deciles
from streetineq_assets.predictions import bootstrap, spatial
from streetineq_assets.predictions.aggregation import RANKING_RULES
from streetineq_assets.predictions.blocks import Blocks, placed_units
from streetineq_assets.predictions.bootstrap import Forecast, percentile_interval


@dataclass(frozen=True)
class Interval:
    """The interval of a metric or of a difference, and the unit that was resampled."""

    unit: str
    lower: float
    upper: float


@dataclass(frozen=True)
class Resampled:
    """One model's metrics in every draw of one unit.

    Attributes:
        blocks: all blocks that were drawn.
        n_blocks: those of them that have an area which the model knows.
        draws: metric to (b,) float64.
    """

    blocks: Blocks
    n_blocks: int
    draws: dict[str, np.ndarray]

    def interval(self, metric: str, less: np.ndarray | float = 0.0) -> Interval:
        """Of a metric, or of what it has over another model's in each draw, (b,)."""
        ends = percentile_interval(self.draws[metric] - less, self.n_blocks)
        return Interval(self.blocks.unit, *ends)


@dataclass(frozen=True)
class ModelMetrics:
    """One model's metrics on the areas that it knows, and their values in every draw."""

    n_lsoas: int
    values: dict[str, float]
    resampled: Resampled


@dataclass(frozen=True)
class Clustering:
    """Moran's I of a model's errors, its p-value, and how many areas could be placed."""

    moran_i_errors: float
    moran_p_errors: float
    n_lsoas: int


@dataclass(frozen=True)
class ComparedAreas:
    """The areas' actual deciles, where they lie, and what is resampled.

    Attributes:
        actual: (n,) int64 of 1..10.
        positions: (n, 2) easting and northing in metres, NaN where unknown.
        units: that can be resampled, the one that intervals go by first.
        draws: resamples of each unit.
        seed: of draws and permutations.
        rule: by which scores become deciles.
    """

    actual: np.ndarray
    positions: np.ndarray
    units: tuple[Blocks, ...]
    draws: int
    seed: int
    rule: str
    _counts: dict[int, np.ndarray] = field(default_factory=dict, repr=False, compare=False)
    _drawn: dict[Hashable, Resampled] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(
        cls,
        areas: pd.DataFrame,
        centroids: pd.DataFrame,
        *,
        rule: str,
        seed: int,
        draws: int,
        beside: Sequence[np.ndarray] = (),
    ) -> "ComparedAreas":
        """From published tables.

        Args:
            areas: `tables.LSOA_PREDICTIONS`, each with an actual decile.
            centroids: `area, easting_m, northing_m` and, where known, `msoa`.
            beside: (n,) scores of the models that the areas' own is compared with: the blocks are
                as wide as the errors of any of them are alike.
        """
        actual, score = areas["actual_decile"].to_numpy(np.int64), areas["score"].to_numpy(float)
        placed = centroids.set_index("area").reindex(areas["area"])
        positions = placed[["easting_m", "northing_m"]].to_numpy(np.float64)
        units = placed_units(areas["area"], centroids, [score, *beside], actual)
        return cls(actual, positions, units, draws, seed, rule)

    def forecast(self, score: np.ndarray) -> Forecast:
        """A baseline's forecast from its scores."""
        return Forecast(baseline_deciles(score, self.rule), score)

    def evaluate(self, forecast: Forecast, known: np.ndarray) -> ModelMetrics:
        """All metrics of one model on the areas that it knows, (n,) bool."""
        values = metric_values(self.actual[known], forecast.at(known))
        return ModelMetrics(int(known.sum()), values, self.resample(forecast, known, 0))

    def moran(self, score: np.ndarray, known: np.ndarray) -> Clustering:
        """Whether the errors of a model are alike in neighbouring areas that it knows."""
        there = known & np.isfinite(self.positions).all(axis=1)
        found = spatial.moran_of_errors(
            score[there], self.actual[there], self.positions[there], seed=self.seed
        )
        return Clustering(*found, n_lsoas=int(there.sum()))

    def resample(self, forecast: Forecast, known: np.ndarray, unit: int) -> Resampled:
        """A model's metrics in every draw of the unit of that number.

        Kept, since the network stands beside every baseline on mostly the same areas, and each map
        alone and beside the others.
        """
        key = (unit, known.tobytes(), forecast.key)
        if key not in self._drawn:
            blocks = self.units[unit]
            label = blocks.label[known]
            own = Blocks(blocks.unit, label, blocks.n_blocks, blocks.side_m)
            drawn = bootstrap.evaluate(
                self.actual[known], forecast.at(known), own, self._draws_of(unit)
            )
            self._drawn[key] = Resampled(blocks, len(np.unique(label)), drawn)
        return self._drawn[key]

    def _draws_of(self, unit: int) -> np.ndarray:
        if unit not in self._counts:
            n_blocks = self.units[unit].n_blocks
            self._counts[unit] = bootstrap.draw_blocks(n_blocks, self.draws, self.seed)
        return self._counts[unit]


def metric_values(actual: np.ndarray, forecast: Forecast) -> dict[str, float]:
    """Every metric of a forecast, as `bootstrap.evaluate` names them."""
    together = Blocks.of("all", np.zeros(len(actual)))
    found = bootstrap.evaluate(actual, forecast, together, np.ones((1, together.n_blocks)))
    return {name: float(value[0]) for name, value in found.items()}


def baseline_deciles(score: np.ndarray, rule: str) -> np.ndarray:
    """A baseline's deciles from its scores on the scale of deciles; 0 where it has none.

    Args:
        score: (n,) float64, NaN where the baseline has no score of the area.

    Returns:
        (n,) int64.
    """
    known = np.isfinite(score)
    if rule in RANKING_RULES and known.any() and np.ptp(score[known]) > 0:
        ranked = deciles(score[known], worst="low")
    else:
        ranked = np.clip(np.rint(score[known]), 1, N_DECILES)
    decile = np.zeros(len(score), np.int64)
    decile[known] = ranked
    return decile
