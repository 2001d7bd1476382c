"""Every share and draw judged as the city's own networks are: the same joins, rules and metrics.

What belongs here: calling `predictions` once per draw. What does not: any rule or metric of it.
"""

import pandas as pd

from streetineq_assets.findings import Check
from streetineq_assets.predictions import locations as predicted
from streetineq_assets.predictions import tables
from streetineq_assets.predictions.aggregation import lsoa_table, mean_probabilities
from streetineq_assets.predictions.evaluation import evaluate_pair
from streetineq_assets.transfer.tables import DRAW, LOCATIONS, LSOAS, METRICS

_NO_BASELINES = pd.DataFrame(columns=["baseline", "scheme", "lsoa11", "fold", "score"])


def locations_of(
    scores: pd.DataFrame,
    places: pd.DataFrame,
    labels: pd.DataFrame,
    tested: pd.DataFrame,
    *,
    city: str,
    outcome: str,
) -> tuple[pd.DataFrame, list[Check]]:
    """The table of locations of every draw, and the blocking checks of `predictions.locations`.

    Args:
        scores: `fraction, draw, location_id, fold, h, p_1 .. p_10`, out of fold.
        places: `location_id, lsoa11, weight`.
        labels: `lsoa11, decile`.
        tested: `lsoa11, fold`, or `location_id, fold`.

    Returns:
        `tables.LOCATIONS`; and per check the first draw that failed, else one that passed.
    """
    parts, checks = [tables.empty(LOCATIONS)], {}
    for fraction, draw, group in _draws(scores):
        frame = predicted.join(group, places, labels, city=city, outcome=outcome)
        for check in predicted.check(frame, tested):
            if checks.get(check.name, check).passed:
                checks[check.name] = check
        parts.append(tables.conform(frame.assign(fraction=fraction, draw=draw), LOCATIONS))
    none = predicted.check(tables.empty(tables.LOCATIONS), tested)
    return pd.concat(parts, ignore_index=True), list(checks.values()) or none


def judge(
    locations: pd.DataFrame, positions: pd.DataFrame, *, rule: str, scheme: str, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The tables of areas and of metrics of every draw (`tables.LSOAS`, `tables.METRICS`).

    Args:
        locations: `tables.LOCATIONS`.
        positions: `lsoa11, easting_m, northing_m`, for Moran's I of the residuals.
        rule: by which scores become deciles.
        scheme: of the target's folds.
        seed: of the intervals' draws.
    """
    areas, metrics = [tables.empty(LSOAS)], [tables.empty(METRICS)]
    for fraction, draw, group in _draws(locations):
        key = {"fraction": fraction, "draw": draw}
        table = lsoa_table(group, rule=rule)
        found = evaluate_pair(
            table,
            mean_probabilities(group, table["lsoa11"]),
            _NO_BASELINES,
            positions,
            rule=rule,
            scheme=scheme,
            seed=seed,
        )
        areas.append(tables.conform(table.assign(**key), LSOAS))
        metrics.append(tables.conform(found.metrics.assign(**key), METRICS))
    return pd.concat(areas, ignore_index=True), pd.concat(metrics, ignore_index=True)


def _draws(frame: pd.DataFrame):
    for (fraction, draw), group in frame.groupby(DRAW, sort=True):
        yield fraction, draw, group.drop(columns=DRAW).reset_index(drop=True)
