"""One pair's evaluation: the network and every baseline, on the same areas and the same draws."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pandas as pd
import pyarrow as pa

from streetineq_assets.labels.deciles import N_DECILES
from streetineq_assets.models.map_baselines import MAPS
from streetineq_assets.models.tables import BASELINES, PROBABILITIES
from streetineq_assets.predictions import intervals, metrics, spatial
from streetineq_assets.predictions.aggregation import mean_probabilities
from streetineq_assets.predictions.aligned_baselines import aligned_scores
from streetineq_assets.predictions.bootstrap import DRAWS, Forecast
from streetineq_assets.predictions.by_n_locations import by_n_locations
from streetineq_assets.predictions.compared_areas import ComparedAreas, metric_values
from streetineq_assets.predictions.comparisons import (
    compare,
    metric_rows,
    rows_by_unit,
    without_interval,
)
from streetineq_assets.predictions.further_seeds import SeedAreas, n_deals, spread
from streetineq_assets.predictions.location_scores import join
from streetineq_assets.predictions.ranked_areas import ranked_table
from streetineq_assets.predictions.tables import (
    BY_N_LOCATIONS,
    COMPARISONS,
    CONFUSION,
    COVERAGE,
    INTERVALS,
    METRICS,
)
from streetineq_assets.settings import Areas
from streetineq_assets.study import Pair
from streetineq_assets.tables import conform, empty

EVALUATION_FILES = {
    "metrics": METRICS,
    "comparisons": COMPARISONS,
    "intervals": INTERVALS,
    "confusion": CONFUSION,
    "coverage": COVERAGE,
    "by_n_locations": BY_N_LOCATIONS,
}
NETWORK = "network"
MAP_KNN = "map_knn"
MIN_AREAS = spatial.MIN_AREAS


@dataclass(frozen=True)
class Evaluation:
    """The tables of `lsoa_evaluation`, whose columns `EVALUATION_FILES` names."""

    metrics: pd.DataFrame
    comparisons: pd.DataFrame
    intervals: pd.DataFrame
    confusion: pd.DataFrame
    coverage: pd.DataFrame
    by_n_locations: pd.DataFrame

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
        locations: `location_id, area, weight` of the city's matched locations.
        labels: `area, decile` of the outcome.
        tested: which fold tests what: `area, fold`, or `location_id, fold`.
        centroids: `area, easting_m, northing_m` and, where known, `msoa`.
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
    Baselines are left to the evaluation of the pair's own. Scores of locations without an area and
    those that are no number, which `checks.location_checks` reports, are in `locations` alone.

    Args:
        scores: `location_id, fold, h, p_1 .. p_10`, at least one row.
    """
    locations = join(scores, reference.locations, reference.labels, reference.pair)
    numbers = locations[["h", *PROBABILITIES]].to_numpy(np.float64)
    usable = locations["area"].notna() & np.isfinite(numbers).all(axis=1)
    placed = locations[usable].reset_index(drop=True)
    areas = ranked_table(
        placed,
        rule=reference.rule,
        settings=reference.areas,
        level=reference.level,
        scheme=reference.scheme,
    )
    evaluated = evaluate_pair(
        areas,
        mean_probabilities(placed, areas["area"]),
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
    further_seeds: Sequence[SeedAreas] = (),
) -> Evaluation:
    """Evaluate one city and outcome.

    Args:
        areas: `tables.LSOA_PREDICTIONS`; rows without an actual decile are left out.
        probabilities: (len(areas), 10), the mean of each area's locations.
        baselines: `models.tables.BASELINES`, out of fold, on the scale of deciles.
        centroids: `area, easting_m, northing_m` (EPSG:27700) and, where known, `msoa`; Moran's
            I leaves out the areas that it lacks.
        rule: by which scores become deciles.
        scheme: by which the network's folds were made.
        seed: of the draws and permutations.
        draws: resamples of each unit.
        further_seeds: the same areas as networks of further seeds predict them.
    """
    known = areas["actual_decile"].notna().to_numpy()
    areas, probabilities = areas[known].reset_index(drop=True), probabilities[known]
    if areas.empty:
        return Evaluation.of_nothing()
    scores = aligned_scores(areas, baselines, scheme)
    maps = {name: scores[name, scheme] for name in MAPS if (name, scheme) in scores}
    of_areas = partial(ComparedAreas.of, areas, centroids, rule=rule, seed=seed, draws=draws)
    alone, beside = of_areas(), of_areas(beside=list(maps.values()))
    network, coverage = _forecast(areas, probabilities), intervals.coverage(areas)
    own_rows = _own_rows(alone, network, scheme) + _interval_rows(coverage, scheme)
    rows, leads = compare(beside, network, scores, scheme)
    by_unit = rows_by_unit(alone, {NETWORK: network}, scheme)
    forecasts = {name: beside.forecast(score) for name, score in maps.items()}
    by_unit += rows_by_unit(beside, forecasts, scheme)
    keys = {"city": areas["city"].iloc[0], "outcome": areas["outcome"].iloc[0]}
    return Evaluation(
        metrics=_table(_with_seeds(own_rows, rows, alone, areas, further_seeds), keys, METRICS),
        comparisons=_table(pd.DataFrame(leads), keys, COMPARISONS),
        intervals=_table(pd.DataFrame(by_unit), keys, INTERVALS),
        confusion=_table(_confusion(alone.actual, network.decile), keys, CONFUSION),
        coverage=_table(coverage, keys, COVERAGE),
        by_n_locations=_table(by_n_locations(areas), keys, BY_N_LOCATIONS),
    )


def _forecast(areas: pd.DataFrame, probabilities: np.ndarray) -> Forecast:
    decile, score = areas["decile"].to_numpy(np.int64), areas["score"].to_numpy(np.float64)
    return Forecast(decile, score, probabilities)


def _own_rows(compared: ComparedAreas, network: Forecast, scheme: str) -> list[dict]:
    everywhere = np.ones(len(network.score), dtype=bool)
    clustering = compared.moran(network.score, everywhere)
    return metric_rows(NETWORK, scheme, compared.evaluate(network, everywhere), clustering)


def _with_seeds(
    own_rows: list[dict],
    rows: list[dict],
    compared: ComparedAreas,
    areas: pd.DataFrame,
    further_seeds: Sequence[SeedAreas],
) -> pd.DataFrame:
    """Rows of the network with the spread over its seeds, then those of the baselines."""
    # The mean of p-values is none.
    first = {row["metric"]: row["value"] for row in own_rows if row["metric"] != "moran_p_errors"}
    values = [first, *(_seed_values(compared, each) for each in further_seeds)]
    own = pd.DataFrame(own_rows).merge(spread(values), on="metric", how="left")
    own["n_deals"] = n_deals(areas, further_seeds)
    none = {"seed_mean": np.nan, "seed_sd": np.nan, "n_seeds": pd.NA, "n_deals": pd.NA}
    both = [*own.astype(object).to_dict("records"), *(row | none for row in rows)]
    return pd.DataFrame(both)


def _seed_values(compared: ComparedAreas, seed: SeedAreas) -> dict[str, float]:
    """What the rows of the network say, of another seed."""
    known = seed.areas["actual_decile"].notna().to_numpy()
    areas = seed.areas[known].reset_index(drop=True)
    forecast = _forecast(areas, seed.probabilities[known])
    clustering = compared.moran(forecast.score, np.ones(len(areas), dtype=bool))
    found = metric_values(compared.actual, forecast)
    found["moran_i_errors"] = clustering.moran_i_errors
    rows = _interval_rows(intervals.coverage(areas), "")
    return found | {row["metric"]: row["value"] for row in rows}


def _interval_rows(coverage: pd.DataFrame, scheme: str) -> list[dict]:
    """Coverage and width of the decile intervals over all areas that have one."""
    of_all = coverage[coverage["grouped_by"] == "all"]
    n = int(of_all["n_lsoas"].sum())
    about = {"model": NETWORK, "scheme": scheme}
    rows = []
    for metric, column in (("interval_coverage", "coverage"), ("interval_width", "mean_width")):
        value = of_all[column].iloc[0] if n else np.nan
        rows.append(about | without_interval(metric, value, n))
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


def _table(rows: pd.DataFrame, keys: dict[str, str], fields: pa.Schema) -> pd.DataFrame:
    return conform(rows.assign(**keys), fields) if len(rows) else empty(fields)
