"""The views with the strongest push on their location's score."""

import numpy as np
import pandas as pd

from streetineq_assets.images.catalogue import HEADINGS, VIEWS
from streetineq_assets.predictions.tables import INFLUENCES

UP, DOWN = "up", "down"
N_EACH = 6


def choose_exemplars(explanations: pd.DataFrame, n_each: int = N_EACH) -> pd.DataFrame:
    """The views that raise and lower their location's score most, in each direction one of an area.

    Args:
        explanations: `tables.EXPLANATIONS` of a pair.
        n_each: in each direction, at most.

    Returns:
        `city, outcome, direction, rank, location_id, area, view, heading_degrees, influence`,
        those up first; equal influences in the order of location and view.
    """
    keys = ["city", "outcome", "location_id", "area"]
    names = dict(zip(INFLUENCES, VIEWS, strict=True))
    long = explanations[[*keys, *INFLUENCES]].rename(columns=names)
    views = long.melt(keys, var_name="view", value_name="influence")
    views["heading_degrees"] = views["view"].map(HEADINGS)
    parts = []
    for direction, sign in ((UP, 1), (DOWN, -1)):
        pushed = views.assign(push=sign * views["influence"])
        order = pushed[pushed["push"] > 0].sort_values(
            ["push", "location_id", "view"], ascending=[False, True, True]
        )
        best = order.drop_duplicates("area").head(n_each).drop(columns="push")
        parts.append(best.assign(direction=direction, rank=np.arange(len(best)) + 1))
    return pd.concat(parts, ignore_index=True)
