"""Metrics of an invented city: values as the platform takes them, intervals of about their width.

Resampling fifty pairs two thousand times takes minutes, so that the intervals here are guessed from
the number of areas, a block of which says as much as a fifth of them would. The matrix of evidence
is guessed as a whole: maps lose with distance what networks keep.
"""

import itertools
from collections.abc import Mapping

import numpy as np
import pandas as pd

from streetineq_assets.evidence.matrix import METRICS as EVIDENCE_METRICS
from streetineq_assets.evidence.schemes import STRICTNESS
from streetineq_assets.evidence.tables import EVIDENCE_MATRIX, FLATTERY, GAINS
from streetineq_assets.models.map_baselines import MAPS
from streetineq_assets.predictions import intervals, metrics, tables
from streetineq_assets.predictions.bootstrap import Forecast
from streetineq_assets.predictions.by_n_locations import by_n_locations
from streetineq_assets.predictions.compared_areas import baseline_deciles, metric_values
from streetineq_assets.predictions.comparisons import GAIN
from streetineq_assets.predictions.joint_evaluation import JOINT_NETWORK
from streetineq_assets.tables import conform
from streetineq_tests.benchmarks.reported_values import NETWORK_SEES
from streetineq_tests.harness import Tables
from streetineq_tests.reports.made_up_study import confusion_of

_NETWORK, _OWN_SCHEME, _UNIT = "network", "area", "spatial_block"
_DESIGN = 2.2  # how much wider intervals are by blocks than by areas
_PAIRED = 0.6  # two models on the same areas err alike
_SHARES = ("accuracy", "within", "recall", "interval_coverage")
_CLUSTERED = {"moran_i_errors": 0.12, "moran_p_errors": 0.001}
_KEPT_BY_MAPS = dict(zip(STRICTNESS, (1.0, 0.95, 0.8, 0.45, 0.25, 0.0), strict=True))
_KEPT_BY_NETWORKS = dict(zip(STRICTNESS, (1.04, 1.0, 0.97, 0.9, 0.86, 0.75), strict=True))
_MAP_REACHES = dict(zip(MAPS, (0.68, 0.72, 0.62), strict=True))
_N_SEEDS = 3

Values = Mapping[tuple[str, str], dict[str, float]]  # model and scheme to metric to value


def evaluation(areas: pd.DataFrame, baselines: pd.DataFrame) -> Tables:
    """The tables of `lsoa_evaluation` of one pair.

    Args:
        areas: `predictions.tables.LSOA_PREDICTIONS`, each with an actual decile.
        baselines: `models.tables.BASELINES` of the same areas.
    """
    values = _values(areas, baselines)
    found = {
        "metrics": (_metrics(values, areas), tables.METRICS),
        "comparisons": (_comparisons(values, len(areas)), tables.COMPARISONS),
        "confusion": (confusion_of(areas), tables.CONFUSION),
        "coverage": (intervals.coverage(areas), tables.COVERAGE),
        "by_n_locations": (by_n_locations(areas), tables.BY_N_LOCATIONS),
    }
    of_network = found["metrics"][0].query("model == 'network' and lower.notna()")
    found["intervals"] = (_by_unit(of_network), tables.INTERVALS)
    keys = {name: areas[name].iloc[0] for name in ("city", "outcome")}
    return {name: (frame.assign(**keys), fields) for name, (frame, fields) in found.items()}


def of_joint_networks(of_pairs: pd.DataFrame) -> pd.DataFrame:
    """`METRICS` of a city's joint networks: a little better than its own of each outcome.

    Args:
        of_pairs: `METRICS` of all pairs of the city.
    """
    own = of_pairs[of_pairs["model"] == _NETWORK]
    better = np.where(own["metric"].isin(metrics.LOWER_IS_BETTER), -0.01, 0.01)
    moved = {name: own[name] + better for name in ("value", "lower", "upper")}
    return conform(own.assign(model=JOINT_NETWORK, **moved), tables.METRICS)


def evidence(city: str, outcomes: tuple[str, ...], n_lsoas: int) -> Tables:
    """The tables of `evidence_matrix` of one city."""
    matrix = pd.DataFrame(
        _cell(outcome, scheme, model, metric, value)
        for outcome, scheme in itertools.product(outcomes, STRICTNESS)
        for model, value in _reached(outcome, scheme).items()
        for metric in EVIDENCE_METRICS
    )
    half = 1.96 * _DESIGN * (1.05 - matrix["reached"] ** 2) / np.sqrt(n_lsoas)
    half *= np.where(matrix["metric"] == "mae", 3.0, 1.0)
    about = {"city": city, "unit": _UNIT, "n_lsoas": n_lsoas}
    matrix = matrix.assign(lower=matrix["value"] - half, upper=matrix["value"] + half, **about)
    keys = ["outcome", "scheme", "metric"]
    signed = matrix.assign(value=matrix["value"] * matrix["metric"].map(EVIDENCE_METRICS))
    best = signed[signed["model"].isin(MAPS)].groupby(keys)["value"].max().rename("other")
    of_others = signed[~signed["model"].isin(MAPS)]
    gains = _difference("gain", of_others.merge(best.reset_index(), on=keys))
    own = signed[signed["scheme"] == _OWN_SCHEME].rename(columns={"value": "other"})
    shared = ["outcome", "model", "metric"]
    beside = signed[signed["scheme"] != _OWN_SCHEME].merge(own[[*shared, "other"]], on=shared)
    flattery = _difference("flattery", beside.assign(value=beside["other"], other=beside["value"]))
    return {
        "evidence_matrix": (matrix, EVIDENCE_MATRIX),
        "gains": (gains, GAINS),
        "flattery": (flattery, FLATTERY),
    }


# -- one pair --------------------------------------------------------------------------------------


def _values(areas: pd.DataFrame, baselines: pd.DataFrame) -> Values:
    actual, decile = (areas[name].to_numpy(np.int64) for name in ("actual_decile", "decile"))
    probabilities = areas[[f"p_{each}" for each in range(1, 11)]].to_numpy(np.float64)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    known = None if np.isnan(probabilities).any() else probabilities
    network = Forecast(decile, areas["score"].to_numpy(), known)
    found = {(_NETWORK, _OWN_SCHEME): metric_values(actual, network)}
    for (name, scheme), rows in baselines.groupby(["baseline", "scheme"], sort=False):
        score = rows["score"].to_numpy()
        forecast = Forecast(baseline_deciles(score, "mean_score"), score)
        found[str(name), str(scheme)] = metric_values(actual, forecast)
    return found


def _metrics(values: Values, areas: pd.DataFrame) -> pd.DataFrame:
    rows = [
        (model, scheme, metric, value, *_interval(metric, value, len(areas)), _UNIT)
        for (model, scheme), found in values.items()
        for metric, value in found.items()
    ]
    none = (np.nan, np.nan, None)
    rows += [
        (model, scheme, metric, value, *none)
        for model, scheme in values
        for metric, value in _CLUSTERED.items()
    ]
    of_all = intervals.coverage(areas).query("grouped_by == 'all'")
    for metric, column in (("interval_coverage", "coverage"), ("interval_width", "mean_width")):
        rows += [(_NETWORK, _OWN_SCHEME, metric, value, *none) for value in of_all[column]]
    rows.append(("map_and_score", _OWN_SCHEME, GAIN, *_gain(values, len(areas)), _UNIT))
    names = ["model", "scheme", "metric", "value", "lower", "upper", "unit"]
    frame = pd.DataFrame(rows, columns=names).assign(n_lsoas=len(areas))
    is_own = frame["model"] == _NETWORK
    seeds = {"seed_mean": frame["value"] - 0.002, "seed_sd": 0.008, "n_seeds": 3, "n_deals": 1}
    return frame.assign(**{k: pd.Series(v, frame.index).where(is_own) for k, v in seeds.items()})


def _comparisons(values: Values, n_lsoas: int) -> pd.DataFrame:
    own = values[_NETWORK, _OWN_SCHEME]
    beside = {name: found for (name, scheme), found in values.items() if scheme == _OWN_SCHEME}
    del beside[_NETWORK]
    maps = pd.DataFrame({name: beside[name] for name in MAPS})
    lower = maps.index.isin(metrics.LOWER_IS_BETTER)
    beside["map_best"] = maps.max(axis=1).where(~lower, maps.min(axis=1)).to_dict()
    rows = []
    for name, found in beside.items():
        for metric, value in found.items():
            half = _PAIRED * np.hypot(
                *(_half(metric, each, n_lsoas) for each in (own[metric], value))
            )
            lead = own[metric] - value
            rows.append((name, _OWN_SCHEME, metric, lead, lead - half, lead + half))
    names = ["baseline", "scheme", "metric", "difference", "lower", "upper"]
    return pd.DataFrame(rows, columns=names).assign(n_lsoas=n_lsoas, unit=_UNIT)


def _gain(values: Values, n_lsoas: int) -> tuple[float, float, float]:
    """Of map and score together over the best map, with its interval."""
    kappa = {name: found["kappa_quadratic"] for (name, s), found in values.items() if s == "area"}
    gain = kappa["map_and_score"] - max(kappa[name] for name in MAPS)
    half = _PAIRED * _half("kappa_quadratic", kappa["map_and_score"], n_lsoas)
    return gain, gain - half, gain + half


def _by_unit(of_network: pd.DataFrame) -> pd.DataFrame:
    n = int(of_network["n_lsoas"].iloc[0])
    units = (
        (_UNIT, max(4, n // 30), 2500.0),
        ("msoa", max(4, n // 5), np.nan),
        ("lsoa", n, np.nan),
    )
    parts = [
        of_network.assign(unit=unit, n_units=n_units, block_m=block_m)
        for unit, n_units, block_m in units
    ]
    return pd.concat(parts)


def _interval(metric: str, value: float, n_lsoas: int) -> tuple[float, float]:
    half = _half(metric, value, n_lsoas)
    return value - half, value + half


def _half(metric: str, value: float, n_lsoas: int) -> float:
    """Half the width of an interval by blocks."""
    spread = 1.0 - value**2
    if metric.startswith(_SHARES):
        spread = np.sqrt(value * (1 - value))
    elif metric in metrics.LOWER_IS_BETTER:
        spread = 0.75 * value
    return float(1.96 * _DESIGN * max(spread, 0.05) / np.sqrt(n_lsoas))


# -- the matrix ------------------------------------------------------------------------------------


def _reached(outcome: str, scheme: str) -> dict[str, float]:
    """Model to its rank correlation; of whole cities no map is made."""
    sees = 0.95 * NETWORK_SEES[outcome] * _KEPT_BY_NETWORKS[scheme]
    found = {JOINT_NETWORK: sees, "ridge": 0.93 * sees}
    kept = _KEPT_BY_MAPS[scheme]
    if not kept:
        return found
    maps = {name: kept * value for name, value in _MAP_REACHES.items()}
    both = np.sqrt(sees**2 + max(maps.values()) ** 2 * (1 - sees**2))
    return found | {"map_and_score": float(both)} | maps


def _cell(outcome: str, scheme: str, model: str, metric: str, reached: float) -> dict:
    value = 3.3 * (1 - reached) ** 0.7 if metric == "mae" else reached
    trained = model == JOINT_NETWORK
    return {
        "outcome": outcome, "scheme": scheme, "model": model, "metric": metric, "value": value,
        "reached": reached, "seed_sd": 0.008 if trained else np.nan,
        "n_seeds": _N_SEEDS if trained else 1,
    }  # fmt: skip


def _difference(name: str, rows: pd.DataFrame) -> pd.DataFrame:
    """`value` less `other`, with an interval a little narrower than the value's."""
    half = _PAIRED * (rows["upper"] - rows["lower"]) / 2
    found = rows["value"] - rows["other"]
    return rows.assign(**{name: found}, lower=found - half, upper=found + half)
