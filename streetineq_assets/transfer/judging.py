"""Every share and draw judged, and the tables of all of them.

What belongs here: one judgement per draw, tagged with its share and number. What does not: how
scores are judged (`predictions.judging`).
"""

from collections.abc import Mapping

import pandas as pd

from streetineq_assets.findings import Check
from streetineq_assets.predictions import location_scores, tables
from streetineq_assets.predictions.judging import Ground, judge, worst
from streetineq_assets.predictions.tables import Schema
from streetineq_assets.transfer.tables import DRAW, LOCATIONS, LSOAS, METRICS


def judge_draws(
    scores: pd.DataFrame, ground: Ground
) -> tuple[dict[str, pd.DataFrame], list[Check]]:
    """Judge every draw.

    Args:
        scores: `fraction, draw, location_id, fold, h, p_1 .. p_10`, out of fold.

    Returns:
        `locations`, `areas` and `metrics` (`tables.LOCATIONS, LSOAS, METRICS`); and per check the
        first draw that failed it, else one that passed.
    """
    schemas: Mapping[str, Schema] = {"locations": LOCATIONS, "areas": LSOAS, "metrics": METRICS}
    parts = {name: [tables.empty(schema)] for name, schema in schemas.items()}
    checks: list[Check] = []
    for (fraction, draw), group in scores.groupby(DRAW, sort=True):
        judged = judge(group.drop(columns=DRAW).reset_index(drop=True), ground)
        checks += judged.checks
        for name, schema in schemas.items():
            table = getattr(judged, name).assign(fraction=fraction, draw=draw)
            parts[name].append(tables.conform(table, schema))
    nothing = location_scores.check(tables.empty(tables.LOCATIONS), ground.tested)
    found = {name: pd.concat(frames, ignore_index=True) for name, frames in parts.items()}
    return found, worst(checks) or nothing
