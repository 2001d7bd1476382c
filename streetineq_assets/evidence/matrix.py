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
from streetineq_assets.predictions.bootstrap import Forecast
from streetineq_assets.predictions.evaluation import baseline_deciles
from streetineq_assets.tables import conform, empty

METRICS = {"spearman_score": 1, "kappa_quadratic": 1, "mae": -1}  # 1: higher is better
_RANKED = "mean_score"


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
    """

    mean: Mapping[str, NDArray[np.float64]]
    seeds: Mapping[str, list[float]]


def build_evidence(
    scores: pd.DataFrame,
    labels: pd.DataFrame,
    counts: Mapping[str, pd.DataFrame],
    *,
    own_scheme: str,
) -> Evidence:
    """Compare all models of a city.

    Args:
        scores: `tables.SCHEME_SCORES` of one city.
        labels: `lsoa11, outcome, decile`, without gaps.
        counts: outcome to how often each area is in each draw: a row per area, by its code, and a
            column per draw.
        own_scheme: the study's, with which the others are compared.
    """
    matrix, gains, flattery = [], [], []
    for (city, outcome), group in scores.groupby(["city", "outcome"], sort=True):
        actual = labels[labels["outcome"] == outcome].set_index("lsoa11")["decile"]
        n_lsoas, schemes = _evaluate(group, actual, counts[str(outcome)])
        about = {"city": city, "outcome": outcome, "n_lsoas": n_lsoas}
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


def _evaluate(
    scores: pd.DataFrame, actual: pd.Series, counts: pd.DataFrame
) -> tuple[int, dict[str, dict[str, _Cell]]]:
    """How many areas all models scored under all schemes; and scheme to model to its metrics."""
    keys = ["scheme", "model", "seed"]
    wide = scores.pivot_table(index="lsoa11", columns=keys, values="score", sort=False).dropna()
    areas = wide.index.intersection(actual.index).intersection(counts.index)
    if areas.empty:
        return 0, {}
    truth, drawn = actual.loc[areas].to_numpy(np.int64), counts.loc[areas].to_numpy(np.float32).T
    drawn = np.vstack([np.ones((1, len(areas)), np.float32), drawn])
    found: dict[str, dict[str, list[dict[str, NDArray[np.float64]]]]] = {}
    for key, column in wide.loc[areas].items():
        scheme, model, _ = cast("tuple[str, str, int]", key)
        score = column.to_numpy(np.float64)
        metrics = bootstrap.evaluate(
            truth, Forecast(baseline_deciles(score, _RANKED), score), drawn
        )
        found.setdefault(scheme, {}).setdefault(model, []).append(metrics)
    cells = {
        scheme: {model: _cell(seeds) for model, seeds in models.items()}
        for scheme, models in found.items()
    }
    return len(areas), cells


def _cell(seeds: list[dict[str, NDArray[np.float64]]]) -> _Cell:
    return _Cell(
        mean={metric: np.mean([each[metric] for each in seeds], axis=0) for metric in METRICS},
        seeds={metric: [float(each[metric][0]) for each in seeds] for metric in METRICS},
    )


def _matrix_rows(cells: Mapping[str, _Cell]) -> Iterator[dict]:
    for model, cell in cells.items():
        for metric in METRICS:
            each = cell.seeds[metric]
            spread = float(np.std(each, ddof=1)) if len(each) > 1 else np.nan
            about = {"model": model, "metric": metric, "seed_sd": spread, "n_seeds": len(each)}
            yield about | _interval("value", cell.mean[metric])


def _gain_rows(cells: Mapping[str, _Cell]) -> Iterator[dict]:
    """Of every model that is no map over the best map, in each draw."""
    maps = [cells[name] for name in MAPS if name in cells]
    if not maps:
        return
    for metric, sign in METRICS.items():
        best = np.max([sign * cell.mean[metric] for cell in maps], axis=0)
        for model in [name for name in cells if name not in MAPS]:
            gain = sign * cells[model].mean[metric] - best
            yield {"model": model, "metric": metric} | _interval("gain", gain)


def _flattery_rows(own: Mapping[str, _Cell], other: Mapping[str, _Cell]) -> Iterator[dict]:
    """Each model under the study's own scheme, less the same under another."""
    for model in [name for name in own if name in other]:
        for metric, sign in METRICS.items():
            gap = sign * (own[model].mean[metric] - other[model].mean[metric])
            yield {"model": model, "metric": metric} | _interval("flattery", gap)


def _interval(name: str, drawn: NDArray[np.float64]) -> dict[str, float]:
    """The value, and the interval of its draws."""
    lower, upper = bootstrap.percentile_interval(drawn[1:])
    return {name: float(drawn[0]), "lower": lower, "upper": upper}


def _table(rows: list[dict], fields: pa.Schema) -> pd.DataFrame:
    return conform(pd.DataFrame(rows), fields) if rows else empty(fields)
