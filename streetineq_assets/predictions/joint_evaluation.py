"""The joint networks of a city beside its separate ones: the same areas, folds and metrics.

What belongs here: judging each head's scores, and the two side by side. What does not: how scores
are judged (`judging`), and the training (`models.joint`).
"""

from collections.abc import Mapping

import pandas as pd

from streetineq_assets.findings import Check
from streetineq_assets.predictions import tables
from streetineq_assets.predictions.evaluation import NETWORK
from streetineq_assets.predictions.judging import Ground, judge, worst

JOINT_NETWORK = "joint_network"
COMPARED = ("kappa_quadratic", "spearman_score", "mae")


def judge_outcomes(
    scores: pd.DataFrame, grounds: Mapping[str, Ground]
) -> tuple[pd.DataFrame, list[Check]]:
    """The metrics of every head, and the blocking checks of its locations.

    Args:
        scores: `outcome, location_id, fold, h, p_1 .. p_10`, out of fold. A location of an area
            without a label for an outcome has a score there too, which is not judged.
        grounds: outcome to what its scores are judged against; scores of other outcomes, such as
            those that have left the study since the training, are left out.

    Returns:
        `tables.METRICS` with the model `joint_network`; and per check the first outcome that
        failed it, else one that passed.
    """
    parts, checks = [tables.empty(tables.METRICS)], []
    known = scores[scores["outcome"].isin(list(grounds))]
    for outcome, group in known.groupby("outcome", sort=True):
        ground = grounds[str(outcome)]
        unlabelled = ~ground.places["lsoa11"].isin(ground.labels["lsoa11"])
        left_out = group["location_id"].isin(ground.places.loc[unlabelled, "location_id"])
        judged = judge(group[~left_out].drop(columns="outcome").reset_index(drop=True), ground)
        parts.append(judged.metrics.assign(model=JOINT_NETWORK))
        checks += judged.checks
    return pd.concat(parts, ignore_index=True), worst(checks)


def side_by_side(joint: pd.DataFrame, separate: pd.DataFrame) -> list[dict]:
    """A row per outcome and compared metric: `outcome, metric, separate, joint`.

    Args:
        joint: `tables.METRICS` of the joint networks.
        separate: `tables.METRICS` of the pairs' own networks and baselines.
    """
    keys = ["outcome", "metric", "scheme"]
    own = separate[separate["model"] == NETWORK][[*keys, "value"]]
    both = joint[[*keys, "value"]].merge(own, on=keys, how="left", suffixes=("", "_separate"))
    shown = both[both["metric"].isin(COMPARED)]
    renamed = shown.rename(columns={"value": "joint", "value_separate": "separate"})
    return renamed[["outcome", "metric", "separate", "joint"]].to_dict("records")
