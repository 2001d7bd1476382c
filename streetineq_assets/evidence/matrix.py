"""The evidence matrix: what every model reaches under every scheme, with paired differences.

All cells of an outcome are of the same areas: those that every model scored under every scheme. All
models are ranked by their scores; one that gives every area the same score is not ranked. The draws
are the same for all of them, so that every difference has an interval. A gain is over the best of
the map baselines in each draw, whichever that is, so that the choice among them favours the map.
Models are compared under one scheme; between schemes, a model is compared with itself.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from streetineq_assets.evidence.tables import EVIDENCE_MATRIX, FLATTERY, GAINS
from streetineq_assets.models.map_baselines import MAPS
from streetineq_assets.predictions import bootstrap
from streetineq_assets.predictions.blocks import Blocks, placed_units
from streetineq_assets.predictions.bootstrap import Forecast
from streetineq_assets.predictions.compared_areas import baseline_deciles
from streetineq_assets.tables import conform, empty

METRICS = {"spearman_score": 1, "kappa_quadratic": 1, "mae": -1}  # 1: higher is better
_RANKED = "mean_score"
Metrics = dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Evidence:
    """The tables of `evidence_matrix`: `tables.EVIDENCE_MATRIX, GAINS, FLATTERY`."""

    matrix: pd.DataFrame
    gains: pd.DataFrame
    flattery: pd.DataFrame


@dataclass(frozen=True)
class _Cell:
    """One model under one scheme: a metric's value and those of the draws, (1 + draws,) each.

    Attributes:
        mean: by metric, over the seeds.
        seeds: by metric, the value of each seed.
        n_blocks: that were resampled.
    """

    mean: Mapping[str, NDArray[np.float64]]
    seeds: Mapping[str, list[float]]
    n_blocks: int


def build_evidence(
    scores: pd.DataFrame,
    labels: pd.DataFrame,
    centroids: pd.DataFrame,
    *,
    own_scheme: str,
    seed: int,
    draws: int = bootstrap.DRAWS,
) -> Evidence:
    """Compare all models of a city.

    Args:
        scores: `tables.SCHEME_SCORES` of one city.
        labels: `area, outcome, decile`, without gaps.
        centroids: `area, easting_m, northing_m` and, where known, `msoa`.
        own_scheme: the study's, with which the others are compared.
        seed: of the draws.
    """
    matrix, gains, flattery = [], [], []
    for (city, outcome), group in scores.groupby(["city", "outcome"], sort=True):
        actual = labels[labels["outcome"] == outcome].set_index("area")["decile"]
        compared = _Compared.of(group, actual, centroids, own_scheme, draws=draws, seed=seed)
        if compared is None:
            continue
        schemes = compared.cells()
        about = {"city": city, "outcome": outcome, "n_lsoas": len(compared.actual)}
        about |= {"unit": compared.blocks.unit}
        for scheme, cells in schemes.items():
            here = about | {"scheme": scheme}
            matrix += [here | row for row in _matrix_rows(cells)]
            gains += [here | row for row in _gain_rows(cells)]
            if own_scheme in schemes and scheme != own_scheme:
                rows = _flattery_rows(schemes[own_scheme], cells)
                flattery += [here | row for row in rows]
    return Evidence(
        _table(matrix, EVIDENCE_MATRIX), _table(gains, GAINS), _table(flattery, FLATTERY)
    )


@dataclass(frozen=True)
class _Compared:
    """The areas that all models scored under all schemes.

    Attributes:
        scores: a row per area, a column per scheme, model and seed.
        actual: (n,) deciles.
        blocks: that are resampled.
        counts: (1 + draws, blocks), the first row of ones.
    """

    scores: pd.DataFrame
    actual: NDArray[np.int64]
    blocks: Blocks
    counts: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        scores: pd.DataFrame,
        labels: pd.Series,
        centroids: pd.DataFrame,
        own_scheme: str,
        *,
        draws: int,
        seed: int,
    ) -> "_Compared | None":
        """None where no area was scored by all."""
        keys = ["scheme", "model", "seed"]
        wide = scores.pivot_table(index="area", columns=keys, values="score", sort=False)
        wide = wide.dropna()
        wide = wide.loc[wide.index.intersection(labels.index)]
        if wide.empty:
            return None
        actual = labels.loc[wide.index].to_numpy(np.int64)
        schemes = list(dict.fromkeys(wide.columns.get_level_values("scheme")))
        own = own_scheme if own_scheme in schemes else schemes[0]
        first_seeds = wide[own].T.groupby(level="model", sort=False).first()
        of_models = list(first_seeds.to_numpy(np.float64))
        blocks = placed_units(wide.index, centroids, of_models, actual)[0]
        counts = bootstrap.draw_blocks(blocks.n_blocks, draws, seed)
        return cls(wide, actual, blocks, np.vstack([np.ones((1, blocks.n_blocks)), counts]))

    def cells(self) -> dict[str, dict[str, "_Cell"]]:
        """Scheme to model to its metrics."""
        found: dict[str, dict[str, list[Metrics]]] = {}
        for key, column in self.scores.items():
            scheme, model, _ = cast("tuple[str, str, int]", key)
            score = column.to_numpy(np.float64)
            forecast = Forecast(baseline_deciles(score, _RANKED), score)
            metrics = bootstrap.evaluate(self.actual, forecast, self.blocks, self.counts)
            found.setdefault(scheme, {}).setdefault(model, []).append(metrics)
        return {
            scheme: {name: _cell(seeds, self.blocks.n_blocks) for name, seeds in models.items()}
            for scheme, models in found.items()
        }


def _cell(seeds: list[Metrics], n_blocks: int) -> _Cell:
    return _Cell(
        mean={metric: np.mean([each[metric] for each in seeds], axis=0) for metric in METRICS},
        seeds={metric: [float(each[metric][0]) for each in seeds] for metric in METRICS},
        n_blocks=n_blocks,
    )


def _matrix_rows(cells: Mapping[str, _Cell]) -> Iterator[dict]:
    for model, cell in cells.items():
        for metric in METRICS:
            each = cell.seeds[metric]
            spread = float(np.std(each, ddof=1)) if len(each) > 1 else np.nan
            about = {"model": model, "metric": metric, "seed_sd": spread, "n_seeds": len(each)}
            yield about | _interval("value", cell.mean[metric], cell.n_blocks)


def _gain_rows(cells: Mapping[str, _Cell]) -> Iterator[dict]:
    """Of every model that is no map over the best map, in each draw."""
    maps = [cells[name] for name in MAPS if name in cells]
    if not maps:
        return
    for metric, sign in METRICS.items():
        # What is undefined, as the correlation of a constant, is not the best.
        best = np.fmax.reduce([sign * cell.mean[metric] for cell in maps])
        for model in [name for name in cells if name not in MAPS]:
            gain = sign * cells[model].mean[metric] - best
            interval = _interval("gain", gain, cells[model].n_blocks)
            yield {"model": model, "metric": metric} | interval


def _flattery_rows(own: Mapping[str, _Cell], other: Mapping[str, _Cell]) -> Iterator[dict]:
    """Each model under the study's own scheme, less the same under another."""
    for model in [name for name in own if name in other]:
        for metric, sign in METRICS.items():
            gap = sign * (own[model].mean[metric] - other[model].mean[metric])
            interval = _interval("flattery", gap, own[model].n_blocks)
            yield {"model": model, "metric": metric} | interval


def _interval(name: str, drawn: NDArray[np.float64], n_blocks: int) -> dict[str, float]:
    """The value, and the interval of its draws."""
    lower, upper = bootstrap.percentile_interval(drawn[1:], n_blocks)
    return {name: float(drawn[0]), "lower": lower, "upper": upper}


def _table(rows: list[dict], fields: pa.Schema) -> pd.DataFrame:
    return conform(pd.DataFrame(rows), fields) if rows else empty(fields)
