"""One pair's evaluation: the network and every baseline, on the same areas and the same draws.

What belongs here: who is compared with whom, on which areas. What does not: formulas (`metrics`),
draws (`bootstrap`), files and drawing.

A baseline's scores become deciles by the study's rule, as the network's do; a baseline that gives
every area the same score cannot be ranked and is rounded. The rule `mean_decile` belongs to
locations, so an area's baseline score is rounded under it.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from streetineq_assets.labels.deciles import deciles
from streetineq_assets.predictions import bootstrap, intervals, metrics, spatial, tables
from streetineq_assets.predictions.bootstrap import Forecast

NETWORK = "network"
COORDINATES = "coordinates"
SPATIAL_BLOCK = "spatial_block"
MIN_AREAS = spatial.MIN_AREAS
DRAWS = 1000
_SAME = 1e-9  # deciles: what differs by less differs by rounding


@dataclass(frozen=True)
class Evaluation:
    """The tables of `lsoa_evaluation`; see `tables` for their columns."""

    metrics: pd.DataFrame
    comparisons: pd.DataFrame
    confusion: pd.DataFrame
    coverage: pd.DataFrame

    @property
    def frames(self) -> dict[str, pd.DataFrame]:
        """Name of the Parquet file, without suffix, to table."""
        return dict(vars(self))

    def value(self, metric: str, model: str = NETWORK) -> float:
        """One figure of one model, of its first scheme (the study's); NaN where there is none."""
        rows = self.metrics[(self.metrics["model"] == model) & (self.metrics["metric"] == metric)]
        return float(rows["value"].iloc[0]) if len(rows) else float("nan")


def evaluate_pair(
    areas: pd.DataFrame,
    probabilities: np.ndarray,
    baselines: pd.DataFrame,
    positions: pd.DataFrame,
    *,
    rule: str,
    scheme: str,
    seed: int,
    draws: int = DRAWS,
) -> Evaluation:
    """Evaluate one city and outcome.

    Args:
        areas: `tables.LSOAS`; rows without an actual decile are left out.
        probabilities: (len(areas), 10), the mean of each area's locations.
        baselines: `baseline, scheme, lsoa11, fold, score`, out of fold, on the scale of deciles.
        positions: `lsoa11, easting_m, northing_m` (EPSG:27700); Moran's I leaves out the areas
            that it lacks.
        rule: by which scores become deciles.
        scheme: by which the network's folds were made.
        seed: of the draws and permutations.
    """
    known = areas["actual_decile"].notna().to_numpy()
    areas, probabilities = areas[known].reset_index(drop=True), probabilities[known]
    if areas.empty:
        return _empty()
    actual = areas["actual_decile"].to_numpy(np.int64)
    counts = bootstrap.draw_areas(len(areas), draws, seed)
    judge = _Judge(actual, counts, _aligned_positions(areas, positions), seed)
    decile, score = areas["decile"].to_numpy(np.int64), areas["score"].to_numpy()
    network = Forecast(decile, score, probabilities)
    verdict = judge.verdict(network, np.ones(len(areas), bool))
    rows, differences = _against(judge, network, verdict, _aligned_scores(areas, baselines), rule)
    rows = _metric_rows(NETWORK, scheme, verdict) + _interval_rows(areas, scheme) + rows
    keys = {"city": areas["city"].iloc[0], "outcome": areas["outcome"].iloc[0]}
    return Evaluation(
        metrics=_table(pd.DataFrame(rows), keys, tables.METRICS),
        comparisons=_table(pd.DataFrame(differences), keys, tables.COMPARISONS),
        confusion=_table(_confusion(actual, decile), keys, tables.CONFUSION),
        coverage=_table(intervals.coverage(areas), keys, tables.COVERAGE),
    )


def baseline_deciles(score: np.ndarray, rule: str) -> np.ndarray:
    """A baseline's deciles from its scores on the scale of deciles; 0 where it has none.

    Args:
        score: (n,) float64, NaN where the baseline does not know the area.

    Returns:
        (n,) int64.
    """
    there = np.isfinite(score)
    known = score[there]
    if rule == "mean_score" and np.ptp(known) > 0:
        ranked = deciles(known, worst="low")
    else:
        ranked = np.clip(np.rint(known), 1, metrics.N_DECILES)
    decile = np.zeros(len(score), np.int64)
    decile[there] = ranked
    return decile


@dataclass(frozen=True)
class _Verdict:
    """One model's metrics: the figures, their values in every draw, and Moran's I and its p."""

    n_lsoas: int
    values: dict[str, np.ndarray]
    draws: dict[str, np.ndarray]
    moran: tuple[float, float]
    n_placed: int


@dataclass(frozen=True)
class _Judge:
    """The areas' actual deciles, the shared draws and the areas' positions (NaN where unknown)."""

    actual: np.ndarray
    counts: np.ndarray
    positions: np.ndarray
    seed: int

    def verdict(self, forecast: Forecast, there: np.ndarray) -> _Verdict:
        """All metrics of one model on the areas `there`."""
        actual, forecast = self.actual[there], forecast.at(there)
        placed = np.isfinite(self.positions[there]).all(axis=1)
        residual = (forecast.decile - actual)[placed]
        return _Verdict(
            n_lsoas=len(actual),
            values=bootstrap.evaluate(actual, forecast, np.ones((1, len(actual)), np.float32)),
            draws=bootstrap.evaluate(actual, forecast, self.counts[:, there]),
            moran=spatial.moran(residual, self.positions[there][placed], seed=self.seed),
            n_placed=int(placed.sum()),
        )


def _against(
    judge: _Judge,
    network: Forecast,
    verdict: _Verdict,
    scores: dict[tuple[str, str], np.ndarray],
    rule: str,
) -> tuple[list[dict], list[dict]]:
    """Every baseline's metrics, and the network's lead over it on the areas that it knows."""
    rows, differences = [], []
    for (name, scheme), score in scores.items():
        there = np.isfinite(score)
        rival = judge.verdict(Forecast(baseline_deciles(score, rule), score), there)
        own = verdict if there.all() else judge.verdict(network, there)
        rows += _metric_rows(name, scheme, rival)
        differences += _difference_rows(name, scheme, own, rival)
    return rows, differences


def _metric_rows(model: str, scheme: str, verdict: _Verdict) -> list[dict]:
    about = {"model": model, "scheme": scheme}
    rows = []
    for metric, value in verdict.values.items():
        lower, upper = bootstrap.ends(verdict.draws[metric])
        bounds = {"lower": lower, "upper": upper, "n_lsoas": verdict.n_lsoas}
        rows.append(about | {"metric": metric, "value": value[0]} | bounds)
    moran = zip(("moran_i_residuals", "moran_p_residuals"), verdict.moran, strict=True)
    placed = {"lower": np.nan, "upper": np.nan, "n_lsoas": verdict.n_placed}
    return rows + [about | {"metric": m, "value": v} | placed for m, v in moran]


def _difference_rows(name: str, scheme: str, network: _Verdict, rival: _Verdict) -> list[dict]:
    about = {"baseline": name, "scheme": scheme, "n_lsoas": rival.n_lsoas}
    rows = []
    for metric, value in rival.values.items():
        difference = network.values[metric][0] - value[0]
        lower, upper = bootstrap.ends(network.draws[metric] - rival.draws[metric])
        figures = {"difference": difference, "lower": lower, "upper": upper}
        rows.append(about | {"metric": metric} | figures)
    return rows


def _interval_rows(areas: pd.DataFrame, scheme: str) -> list[dict]:
    """Coverage and width of the decile intervals over all areas that have one."""
    by_decile = intervals.coverage(areas)
    n = int(by_decile["n_lsoas"].sum())
    about = {"model": NETWORK, "scheme": scheme, "n_lsoas": n, "lower": np.nan, "upper": np.nan}
    rows = []
    for metric, column in (("interval_coverage", "coverage"), ("interval_width", "mean_width")):
        total = (by_decile[column] * by_decile["n_lsoas"]).sum()
        rows.append(about | {"metric": metric, "value": total / n if n else np.nan})
    return rows


def _confusion(actual: np.ndarray, predicted: np.ndarray) -> pd.DataFrame:
    """All hundred cells, so that a missing one is never mistaken for an empty one."""
    labels = np.arange(1, metrics.N_DECILES + 1)
    return pd.DataFrame(
        {
            "actual": np.repeat(labels, metrics.N_DECILES),
            "predicted": np.tile(labels, metrics.N_DECILES),
            "n": metrics.table(actual, predicted).ravel(),
        }
    )


def _aligned_scores(
    areas: pd.DataFrame, baselines: pd.DataFrame
) -> dict[tuple[str, str], np.ndarray]:
    """Each baseline's scores in the areas' order, NaN where it has none, if it has any.

    A baseline that says the same of all areas of a fold has ranked none of them: the means of its
    folds differ by chance, and against the truth, as each lacks the fold's own areas. It is made
    constant.
    """
    found = {}
    for (name, scheme), group in baselines.groupby(["baseline", "scheme"], sort=False):
        by_area = group.set_index("lsoa11")["score"]
        by_fold = group.groupby("fold")["score"]
        if (by_fold.max() - by_fold.min()).max() < _SAME:
            by_area = by_area * 0 + by_area.mean()
        score = by_area.reindex(areas["lsoa11"]).to_numpy(np.float64)
        if np.isfinite(score).any():
            found[str(name), str(scheme)] = score
    return found


def _aligned_positions(areas: pd.DataFrame, positions: pd.DataFrame) -> np.ndarray:
    placed = positions.set_index("lsoa11")[["easting_m", "northing_m"]]
    return placed.reindex(areas["lsoa11"]).to_numpy(np.float64)


def _table(rows: pd.DataFrame, keys: dict[str, str], schema: tables.Schema) -> pd.DataFrame:
    return tables.conform(rows.assign(**keys), schema) if len(rows) else tables.empty(schema)


def _empty() -> Evaluation:
    schemas = (tables.METRICS, tables.COMPARISONS, tables.CONFUSION, tables.COVERAGE)
    return Evaluation(*(tables.empty(schema) for schema in schemas))
