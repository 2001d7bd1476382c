"""The tables of this step: their columns, types and meanings.

What belongs here: the schemas. What does not: how a column is calculated. Predictions and metrics
are those of `predictions.tables`, once for every share and draw.
"""

from streetineq_assets.predictions import tables
from streetineq_assets.predictions.tables import Schema

DRAW = ["fraction", "draw"]
_DRAW: Schema = {
    "fraction": ("float64", "share of the target's training locations or areas; 0 is no tuning"),
    "draw": ("int16", "number of the random draw of that share"),
}
LOCATIONS: Schema = _DRAW | tables.LOCATIONS
LSOAS: Schema = _DRAW | tables.LSOAS
METRICS: Schema = _DRAW | tables.METRICS

RUNS: Schema = {
    **_DRAW,
    "fold": ("int16", "the target's fold"),
    "n_locations": ("int32", "locations that tuned the network or selected its epoch, count"),
    "n_areas": ("int32", "areas in which these lie, count"),
    "epochs": ("int32", "epochs that were run, count"),
    "best_epoch": ("int32", "the epoch that was kept; 0 is the network as it came"),
    "val_loss": ("float64", "validation loss of that epoch; null when there was none"),
    "skipped": ("str", "why the draw was not tuned; empty when it was"),
}

CURVE: Schema = {
    "source": ("str", "city or bundle that the networks come from"),
    "city": ("str", "key of the target city"),
    "outcome": ("str", "key of the outcome"),
    "network": (
        "str",
        "fine_tuned; beside it trained_here, other_cities (under folds by city) and coordinates",
    ),
    "scheme": ("str", "how the target's areas were split into folds"),
    **_DRAW,
    "metric": ("str", "rank metric, out of fold"),
    "value": ("float64", "the metric; null where it is undefined"),
    "n_lsoas": ("int32", "areas that were compared, count"),
}
