"""How well areas are predicted by how many locations they have.

An area's score is the mean of its locations', so it is the surer the more there are. Deciles are
those of all areas: they are not cut again within a group.
"""

import numpy as np
import pandas as pd

from streetineq_assets.predictions.bootstrap import Forecast
from streetineq_assets.predictions.compared_areas import metric_values

SHOWN = ("spearman_score", "kappa_quadratic", "mae")
_FIRST = (1, 2, 3, 5, 10, 20)  # of each group


def by_n_locations(areas: pd.DataFrame) -> pd.DataFrame:
    """Metrics of the areas with 1, 2, 3-4, 5-9, 10-19, 20 and more locations.

    Args:
        areas: `tables.LSOA_PREDICTIONS`, each with an actual decile.

    Returns:
        `group, n_lsoas, spearman_score, kappa_quadratic, mae`; groups without areas are left out.
    """
    first = np.array(_FIRST)
    group = np.searchsorted(first, areas["n_locations"].to_numpy(), side="right") - 1
    rows = []
    for number in np.unique(group):
        mine = areas[group == number]
        forecast = Forecast(mine["decile"].to_numpy(np.int64), mine["score"].to_numpy(float))
        found = metric_values(mine["actual_decile"].to_numpy(np.int64), forecast)
        about = {"group": _title(int(number)), "n_lsoas": len(mine)}
        rows.append(about | {metric: found[metric] for metric in SHOWN})
    return pd.DataFrame(rows, columns=["group", "n_lsoas", *SHOWN])


def _title(number: int) -> str:
    first = _FIRST[number]
    if number + 1 == len(_FIRST):
        return f"{first}+"
    last = _FIRST[number + 1] - 1
    return str(first) if first == last else f"{first}-{last}"
