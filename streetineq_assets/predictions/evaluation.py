"""One pair's evaluation: the network and every baseline, on the same areas and the same draws.

A baseline's scores become deciles by the study's rule, as the network's do; a baseline that gives
every area the same score cannot be ranked and is rounded. The rule `mean_decile` ranks locations,
so an area's baseline score is rounded under it. Differences are taken between models on the same
folds alone; what a model reaches on other folds stands by itself.
"""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pyarrow as pa

from streetineq_assets.findings import Scalar
from streetineq_assets.labels.deciles import N_DECILES, deciles
from streetineq_assets.models.block_sizes import SPATIAL_BLOCK
from streetineq_assets.models.tables import BASELINES
from streetineq_assets.predictions import bootstrap, intervals, metrics, spatial
from streetineq_assets.predictions.aggregation import RANKING_RULES, lsoa_table, mean_probabilities
from streetineq_assets.predictions.aligned_baselines import aligned_scores
from streetineq_assets.predictions.alignment import aligned
from streetineq_assets.predictions.bootstrap import Forecast
from streetineq_assets.predictions.location_scores import join
from streetineq_assets.predictions.tables import COMPARISONS, CONFUSION, COVERAGE, METRICS
from streetineq_assets.study import Areas, Pair
from streetineq_assets.tables import conform, empty

EVALUATION_FILES = {
    "metrics": METRICS,
    "comparisons": COMPARISONS,
    "confusion": CONFUSION,
    "coverage": COVERAGE,
}
NETWORK = "network"
MAP_KNN = "map_knn"
MAP_AND_SCORE = "map_and_score"
_GAINED = "kappa_quadratic"
GAIN = f"{_GAINED}_gain"  # of both over coordinates alone, on the same areas and draws
MIN_AREAS = spatial.MIN_AREAS
DRAWS = 1000
HEADLINE_METRICS = {
    "spearman_score": "Spearman of the score",
    "kappa_quadratic": "quadratic kappa",
    "mae": "MAE in deciles",
}


@dataclass(frozen=True)
class Evaluation:
    """The tables of `lsoa_evaluation`: `tables.METRICS, COMPARISONS, CONFUSION, COVERAGE`."""

    metrics: pd.DataFrame
    comparisons: pd.DataFrame
    confusion: pd.DataFrame
    coverage: pd.DataFrame

    @classmethod
    def of_nothing(cls) -> "Evaluation":
        """Without areas."""
        return cls(**{name: empty(fields) for name, fields in EVALUATION_FILES.items()})

    def value(self, metric: str, model: str = NETWORK, scheme: str | None = None) -> float:
        """As `metric_value`."""
        return metric_value(self.metrics, metric, model, scheme)


def metric_value(
    metrics: pd.DataFrame, metric: str, model: str, scheme: str | None = None
) -> float:
    """One metric of one model, by default of its first scheme; NaN where there is none.

    Args:
        metrics: `tables.METRICS` of one pair.
    """
    rows = metrics[(metrics["model"] == model) & (metrics["metric"] == metric)]
    if scheme:
        rows = rows[rows["scheme"] == scheme]
    return float(rows["value"].iloc[0]) if len(rows) else float("nan")


@dataclass(frozen=True)
class Reference:
    """What scores of one city and outcome are evaluated against.

    Attributes:
        locations: `location_id, lsoa11, weight` of the city's matched locations.
        labels: `lsoa11, decile` of the outcome.
        tested: which fold tests what: `lsoa11, fold`, or `location_id, fold`.
        centroids: `lsoa11, easting_m, northing_m`, for Moran's I of the residuals.
        rule: by which scores become deciles.
        scheme: by which the folds were made.
        seed: of the intervals' draws.
        areas: which areas are ranked, and whether folds are put on one scale.
        level: of the areas' intervals.
    """

    pair: Pair
    locations: pd.DataFrame
    labels: pd.DataFrame
    tested: pd.DataFrame
    centroids: pd.DataFrame
    rule: str
    scheme: str
    seed: int
    areas: Areas = field(default_factory=Areas)
    level: float = intervals.LEVEL


@dataclass(frozen=True)
class EvaluatedScores:
    """`tables.LOCATION_PREDICTIONS, LSOA_PREDICTIONS, METRICS` of one set of scores."""

    locations: pd.DataFrame
    areas: pd.DataFrame
    metrics: pd.DataFrame


def evaluate_scores(scores: pd.DataFrame, reference: Reference) -> EvaluatedScores:
    """Evaluate out-of-fold scores as a pair's own networks are: the same join, rule and metrics.

    For networks beside the pair's own (joint, tuned), which have no assets of their own on the way.
    Baselines are left to the evaluation of the pair's own. Scores of locations without an area,
    which `checks.location_checks` reports, are in `locations` alone.

    Args:
        scores: `location_id, fold, h, p_1 .. p_10`, at least one row.
    """
    locations = join(scores, reference.locations, reference.labels, reference.pair)
    placed = locations[locations["lsoa11"].notna()].reset_index(drop=True)
    ranked = aligned(placed, reference.scheme)[0] if reference.areas.align_folds else placed
    areas = lsoa_table(ranked, rule=reference.rule, areas=reference.areas, level=reference.level)
    evaluated = evaluate_pair(
        areas,
        mean_probabilities(placed, areas["lsoa11"]),
        empty(BASELINES),
        reference.centroids,
        rule=reference.rule,
        scheme=reference.scheme,
        seed=reference.seed,
    )
    return EvaluatedScores(locations, areas, evaluated.metrics)


def evaluate_pair(
    areas: pd.DataFrame,
    probabilities: np.ndarray,
    baselines: pd.DataFrame,
    centroids: pd.DataFrame,
    *,
    rule: str,
    scheme: str,
    seed: int,
    draws: int = DRAWS,
) -> Evaluation:
    """Evaluate one city and outcome.

    Args:
        areas: `tables.LSOA_PREDICTIONS`; rows without an actual decile are left out.
        probabilities: (len(areas), 10), the mean of each area's locations.
        baselines: `models.tables.BASELINES`, out of fold, on the scale of deciles.
        centroids: `lsoa11, easting_m, northing_m` (EPSG:27700); Moran's I leaves out the areas
            that it lacks.
        rule: by which scores become deciles.
        scheme: by which the network's folds were made.
        seed: of the draws and permutations.
    """
    known = areas["actual_decile"].notna().to_numpy()
    areas, probabilities = areas[known].reset_index(drop=True), probabilities[known]
    if areas.empty:
        return Evaluation.of_nothing()
    actual = areas["actual_decile"].to_numpy(np.int64)
    counts = bootstrap.draw_areas(len(areas), draws, seed)
    compared = _ComparedAreas(actual, counts, _aligned_centroids(areas, centroids), seed, rule)
    decile, score = areas["decile"].to_numpy(np.int64), areas["score"].to_numpy()
    network = Forecast(decile, score, probabilities)
    own = compared.evaluate(network, np.ones(len(areas), bool))
    scores = aligned_scores(areas, baselines, scheme)
    rows, differences = _compare_baselines(compared, network, own, scores, scheme)
    rows += _gain_rows(compared, scores, scheme)
    rows = _metric_rows(NETWORK, scheme, own) + _interval_rows(areas, scheme) + rows
    keys = {"city": areas["city"].iloc[0], "outcome": areas["outcome"].iloc[0]}
    return Evaluation(
        metrics=_table(pd.DataFrame(rows), keys, METRICS),
        comparisons=_table(pd.DataFrame(differences), keys, COMPARISONS),
        confusion=_table(_confusion(actual, decile), keys, CONFUSION),
        coverage=_table(intervals.coverage(areas), keys, COVERAGE),
    )


def headline(evaluation: Evaluation, scheme: str) -> tuple[dict[str, Scalar], str]:
    """The network beside the coordinates baseline, by the study's scheme and by spatial blocks.

    Returns:
        Values for time series, and a Markdown table.
    """
    columns = [("", "network", NETWORK, scheme)]
    columns.append(("_coordinates", "coordinates only", MAP_KNN, scheme))
    if scheme != SPATIAL_BLOCK:
        title = "coordinates only, spatial blocks"
        columns.append(("_coordinates_spatial", title, MAP_KNN, SPATIAL_BLOCK))
    lines = ["| | " + " | ".join(title for _, title, *_ in columns) + " |"]
    lines.append("|---" * (len(columns) + 1) + "|")
    values: dict[str, Scalar] = {}
    for metric, title in HEADLINE_METRICS.items():
        row = {
            metric + suffix: evaluation.value(metric, model, own)
            for suffix, _, model, own in columns
        }
        values |= row
        lines.append(f"| {title} | " + " | ".join(f"{value:z.3f}" for value in row.values()) + " |")
    return values, "\n".join(lines)


def baseline_deciles(score: np.ndarray, rule: str) -> np.ndarray:
    """A baseline's deciles from its scores on the scale of deciles; 0 where it has none.

    Args:
        score: (n,) float64, NaN where the baseline has no score of the area.

    Returns:
        (n,) int64.
    """
    known = np.isfinite(score)
    if rule in RANKING_RULES and np.ptp(score[known]) > 0:
        ranked = deciles(score[known], worst="low")
    else:
        ranked = np.clip(np.rint(score[known]), 1, N_DECILES)
    decile = np.zeros(len(score), np.int64)
    decile[known] = ranked
    return decile


@dataclass(frozen=True)
class _ModelMetrics:
    """One model's metrics, their values in every draw, and Moran's I with its p."""

    n_lsoas: int
    values: dict[str, np.ndarray]
    draws: dict[str, np.ndarray]
    moran: tuple[float, float]
    n_placed: int


@dataclass(frozen=True)
class _ComparedAreas:
    """The areas' actual deciles, the shared draws and the areas' centroids (NaN where unknown).

    `rule` is that by which scores become deciles.
    """

    actual: np.ndarray
    counts: np.ndarray
    centroids: np.ndarray
    seed: int
    rule: str

    def forecast(self, score: np.ndarray) -> Forecast:
        """A baseline's forecast from its scores."""
        return Forecast(baseline_deciles(score, self.rule), score)

    def evaluate(self, forecast: Forecast, known: np.ndarray) -> _ModelMetrics:
        """All metrics of one model on the areas that it knows."""
        actual, forecast, centroids = self.actual[known], forecast.at(known), self.centroids[known]
        placed = np.isfinite(centroids).all(axis=1)
        residual = (forecast.decile - actual)[placed]
        return _ModelMetrics(
            n_lsoas=len(actual),
            values=bootstrap.evaluate(actual, forecast, np.ones((1, len(actual)), np.float32)),
            draws=bootstrap.evaluate(actual, forecast, self.counts[:, known]),
            moran=spatial.moran(residual, centroids[placed], seed=self.seed),
            n_placed=int(placed.sum()),
        )


def _compare_baselines(
    compared: _ComparedAreas,
    network: Forecast,
    own: _ModelMetrics,
    scores: dict[tuple[str, str], np.ndarray],
    networks_scheme: str,
) -> tuple[list[dict], list[dict]]:
    """Every baseline's metrics, and the network's lead over those on its own folds.

    The lead is over the areas that the baseline knows.
    """
    rows, differences = [], []
    for (name, scheme), score in scores.items():
        known = np.isfinite(score)
        baseline = compared.evaluate(compared.forecast(score), known)
        rows += _metric_rows(name, scheme, baseline)
        if scheme == networks_scheme:
            there = own if known.all() else compared.evaluate(network, known)
            differences += _difference_rows(name, scheme, there, baseline)
    return rows, differences


def _gain_rows(
    compared: _ComparedAreas, scores: dict[tuple[str, str], np.ndarray], scheme: str
) -> list[dict]:
    """What network and coordinates together gain over coordinates alone, where both are known."""
    both, alone = scores.get((MAP_AND_SCORE, scheme)), scores.get((MAP_KNN, scheme))
    if both is None or alone is None or not (known := np.isfinite(both) & np.isfinite(alone)).any():
        return []
    n = int(known.sum())
    counts = np.vstack([np.ones((1, n), np.float32), compared.counts[:, known]])
    forecasts = (compared.forecast(score[known]) for score in (both, alone))
    drawn = [bootstrap.evaluate(compared.actual[known], each, counts) for each in forecasts]
    gain, *draws = drawn[0][_GAINED] - drawn[1][_GAINED]
    lower, upper = bootstrap.percentile_interval(np.array(draws))
    interval = {"value": gain, "lower": lower, "upper": upper, "n_lsoas": n}
    return [{"model": MAP_AND_SCORE, "scheme": scheme, "metric": GAIN} | interval]


def _metric_rows(model: str, scheme: str, evaluated: _ModelMetrics) -> list[dict]:
    about = {"model": model, "scheme": scheme}
    rows = []
    for metric, value in evaluated.values.items():
        lower, upper = bootstrap.percentile_interval(evaluated.draws[metric])
        bounds = {"lower": lower, "upper": upper, "n_lsoas": evaluated.n_lsoas}
        rows.append(about | {"metric": metric, "value": value[0]} | bounds)
    moran = zip(("moran_i_residuals", "moran_p_residuals"), evaluated.moran, strict=True)
    placed = {"lower": np.nan, "upper": np.nan, "n_lsoas": evaluated.n_placed}
    return rows + [about | {"metric": m, "value": v} | placed for m, v in moran]


def _difference_rows(
    name: str, scheme: str, network: _ModelMetrics, baseline: _ModelMetrics
) -> list[dict]:
    about = {"baseline": name, "scheme": scheme, "n_lsoas": baseline.n_lsoas}
    rows = []
    for metric, value in baseline.values.items():
        difference = network.values[metric][0] - value[0]
        drawn = network.draws[metric] - baseline.draws[metric]
        lower, upper = bootstrap.percentile_interval(drawn)
        lead = {"difference": difference, "lower": lower, "upper": upper}
        rows.append(about | {"metric": metric} | lead)
    return rows


def _interval_rows(areas: pd.DataFrame, scheme: str) -> list[dict]:
    """Coverage and width of the decile intervals over all areas that have one."""
    found = intervals.coverage(areas)
    of_all = found[found["grouped_by"] == "all"]
    n = int(of_all["n_lsoas"].sum())
    about = {"model": NETWORK, "scheme": scheme, "n_lsoas": n, "lower": np.nan, "upper": np.nan}
    rows = []
    for metric, column in (("interval_coverage", "coverage"), ("interval_width", "mean_width")):
        rows.append(about | {"metric": metric, "value": of_all[column].iloc[0] if n else np.nan})
    return rows


def _confusion(actual: np.ndarray, predicted: np.ndarray) -> pd.DataFrame:
    """All hundred cells, so that a missing one is never mistaken for an empty one."""
    labels = np.arange(1, N_DECILES + 1)
    return pd.DataFrame(
        {
            "actual": np.repeat(labels, N_DECILES),
            "predicted": np.tile(labels, N_DECILES),
            "n": metrics.table(actual, predicted).ravel(),
        }
    )


def _aligned_centroids(areas: pd.DataFrame, centroids: pd.DataFrame) -> np.ndarray:
    placed = centroids.set_index("lsoa11")[["easting_m", "northing_m"]]
    return placed.reindex(areas["lsoa11"]).to_numpy(np.float64)


def _table(rows: pd.DataFrame, keys: dict[str, str], fields: pa.Schema) -> pd.DataFrame:
    return conform(rows.assign(**keys), fields) if len(rows) else empty(fields)
