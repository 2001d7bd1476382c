"""The network beside every baseline: on the same areas, the same folds and the same draws.

A baseline's scores become deciles by the study's rule, as the network's do; a baseline that gives
every area the same score cannot be ranked and is rounded. The rule `mean_decile` ranks locations,
so an area's baseline score is rounded under it. Differences are taken between models on the same
folds alone; what a model reaches on other folds stands by itself.

`map_best` is what a picture must beat: the best of the guesses from where an area lies. It is taken
anew for each metric and in each draw, so that no lead comes of having picked the wrong map.
"""

from typing import Any

import numpy as np

from streetineq_assets.models.baseline_guesses import MAP_AND_SCORE
from streetineq_assets.models.map_baselines import MAPS
from streetineq_assets.predictions.aligned_baselines import MAP_BEST
from streetineq_assets.predictions.bootstrap import Forecast
from streetineq_assets.predictions.compared_areas import (
    Clustering,
    ComparedAreas,
    Interval,
    ModelMetrics,
)
from streetineq_assets.predictions.metrics import LOWER_IS_BETTER

_GAINED = "kappa_quadratic"
GAIN = f"{_GAINED}_gain"  # of the map and the score together over the best map

Scores = dict[tuple[str, str], np.ndarray]  # of baseline and scheme, NaN where it has none
Rows = list[dict[str, Any]]


def compare(
    compared: ComparedAreas, network: Forecast, scores: Scores, scheme: str
) -> tuple[Rows, Rows]:
    """Every baseline's metrics, and the network's lead over those on its own folds.

    The lead is over the areas that the baseline knows; over the best map, over those that all maps
    know.

    Args:
        compared: with blocks as wide as the errors of the network or of any map are alike: a map's
            are so over a longer distance, and the lead holds both.
        scheme: of the network's folds.

    Returns:
        Rows of `tables.METRICS` and of `tables.COMPARISONS`, without city and outcome.
    """
    rows: Rows = []
    leads: Rows = []
    for (name, folds), score in scores.items():
        known = np.isfinite(score)
        baseline = compared.evaluate(compared.forecast(score), known)
        rows += metric_rows(name, folds, baseline, compared.moran(score, known))
        if folds == scheme:
            leads += _lead_rows(name, scheme, compared.evaluate(network, known), [baseline])
    if maps := _on_common_areas(compared, scores, scheme, MAPS):
        known, evaluated = maps
        leads += _lead_rows(MAP_BEST, scheme, compared.evaluate(network, known), evaluated)
    return rows + _gain_rows(compared, scores, scheme), leads


def metric_rows(model: str, scheme: str, evaluated: ModelMetrics, clustering: Clustering) -> Rows:
    """Rows of `tables.METRICS` of one model, without city, outcome and seeds."""
    about = {"model": model, "scheme": scheme}
    rows = [
        about
        | {"metric": metric, "value": value, "n_lsoas": evaluated.n_lsoas}
        | vars(evaluated.resampled.interval(metric))
        for metric, value in evaluated.values.items()
    ]
    return rows + [
        about | without_interval(metric, getattr(clustering, metric), clustering.n_lsoas)
        for metric in ("moran_i_errors", "moran_p_errors")
    ]


def rows_by_unit(compared: ComparedAreas, forecasts: dict[str, Forecast], scheme: str) -> Rows:
    """Intervals of some models by every unit that can be resampled.

    Args:
        forecasts: model to its forecast; an area without a score is left out.

    Returns:
        Rows of `tables.INTERVALS`, without city and outcome.
    """
    rows: Rows = []
    for model, forecast in forecasts.items():
        known = np.isfinite(forecast.score)
        for number, blocks in enumerate(compared.units):
            resampled = compared.resample(forecast, known, number)
            about = {"model": model, "scheme": scheme, "block_m": blocks.side_m}
            about |= {"n_units": resampled.n_blocks}
            intervals = {metric: resampled.interval(metric) for metric in resampled.draws}
            rows += [about | {"metric": metric} | vars(each) for metric, each in intervals.items()]
    return rows


def without_interval(metric: str, value: float, n_lsoas: int) -> dict[str, Any]:
    """What a metric that is not resampled has in place of an interval."""
    none = {"lower": np.nan, "upper": np.nan, "unit": None}
    return {"metric": metric, "value": value, "n_lsoas": n_lsoas} | none


def _lead_rows(
    name: str, scheme: str, network: ModelMetrics, baselines: list[ModelMetrics]
) -> Rows:
    """What the network has over a baseline, or over the best of several, by metric."""
    about = {"baseline": name, "scheme": scheme, "n_lsoas": network.n_lsoas}
    rows = []
    for metric, value in network.values.items():
        lead, interval = _lead(metric, value, network, baselines)
        rows.append(about | {"metric": metric, "difference": lead} | vars(interval))
    return rows


def _lead(
    metric: str, value: float, model: ModelMetrics, baselines: list[ModelMetrics]
) -> tuple[float, Interval]:
    """What a model has over the best of some baselines, with the best taken in each draw."""
    best = np.fmin if metric in LOWER_IS_BETTER else np.fmax  # what is undefined is not the best
    lead = value - best.reduce([each.values[metric] for each in baselines])
    drawn = best.reduce([each.resampled.draws[metric] for each in baselines])
    return float(lead), model.resampled.interval(metric, less=drawn)


def _gain_rows(compared: ComparedAreas, scores: Scores, scheme: str) -> Rows:
    """What the network's score and a map together gain over the best map."""
    found = _on_common_areas(compared, scores, scheme, (MAP_AND_SCORE, *MAPS))
    if not found:
        return []
    both, *maps = found[1]
    gain, interval = _lead(_GAINED, both.values[_GAINED], both, maps)
    about = {"model": MAP_AND_SCORE, "scheme": scheme, "metric": GAIN, "n_lsoas": both.n_lsoas}
    return [about | {"value": gain} | vars(interval)]


def _on_common_areas(
    compared: ComparedAreas, scores: Scores, scheme: str, names: tuple[str, ...]
) -> tuple[np.ndarray, list[ModelMetrics]] | None:
    """Several baselines on the areas that all of them know; None where one is missing."""
    if not all((name, scheme) in scores for name in names):
        return None
    each = np.array([scores[name, scheme] for name in names])
    known = np.asarray(np.isfinite(each).all(axis=0))
    if not known.any():
        return None
    return known, [compared.evaluate(compared.forecast(score), known) for score in each]
