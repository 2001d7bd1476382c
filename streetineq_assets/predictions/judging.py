"""Out-of-fold scores judged as a pair's own networks are: the same joins, rules and metrics.

What belongs here: the way from one set of scores to its tables, for networks beside the pair's own
(joint ones, tuned ones), which have no assets of their own on the way. What does not: any rule or
metric of it, and baselines, which are judged once, with the pair's own networks.
"""

from dataclasses import dataclass

import pandas as pd

from streetineq_assets.findings import Check
from streetineq_assets.predictions import location_scores as joins
from streetineq_assets.predictions.aggregation import lsoa_table, mean_probabilities
from streetineq_assets.predictions.evaluation import evaluate_pair

_NO_BASELINES = pd.DataFrame(columns=["baseline", "scheme", "lsoa11", "fold", "score"])


@dataclass(frozen=True)
class Ground:
    """What scores of one city and outcome are judged against.

    Attributes:
        places: `location_id, lsoa11, weight` of the city's matched locations.
        labels: `lsoa11, decile` of the outcome.
        tested: which fold tests what: `lsoa11, fold`, or `location_id, fold`.
        positions: `lsoa11, easting_m, northing_m`, for Moran's I of the residuals.
        rule: by which scores become deciles.
        scheme: by which the folds were made.
        seed: of the intervals' draws.
    """

    city: str
    outcome: str
    places: pd.DataFrame
    labels: pd.DataFrame
    tested: pd.DataFrame
    positions: pd.DataFrame
    rule: str
    scheme: str
    seed: int


@dataclass(frozen=True)
class Judgement:
    """Tables as `tables.LOCATIONS, LSOAS, METRICS`, and the blocking checks of the locations."""

    locations: pd.DataFrame
    areas: pd.DataFrame
    metrics: pd.DataFrame
    checks: list[Check]


def judge(scores: pd.DataFrame, ground: Ground) -> Judgement:
    """Judge one network per fold by its out-of-fold scores.

    Args:
        scores: `location_id, fold, h, p_1 .. p_10`, at least one row.
    """
    frame = joins.join(
        scores, ground.places, ground.labels, city=ground.city, outcome=ground.outcome
    )
    # Whoever has no area fails the check `location_identity`; the others are judged all the same.
    placed = frame[frame["lsoa11"].notna()].reset_index(drop=True)
    areas = lsoa_table(placed, rule=ground.rule)
    found = evaluate_pair(
        areas,
        mean_probabilities(placed, areas["lsoa11"]),
        _NO_BASELINES,
        ground.positions,
        rule=ground.rule,
        scheme=ground.scheme,
        seed=ground.seed,
    )
    return Judgement(frame, areas, found.metrics, joins.check(frame, ground.tested))


def worst(checks: list[Check]) -> list[Check]:
    """Of checks with the same name the first that failed, else the first."""
    kept: dict[str, Check] = {}
    for check in checks:
        if check.name not in kept or (kept[check.name].passed and not check.passed):
            kept[check.name] = check
    return list(kept.values())
