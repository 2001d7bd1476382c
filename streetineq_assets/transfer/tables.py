"""The tables of this step, and the record that later steps read.

Tuned predictions and metrics are those of `predictions.tables`, once for every share and repeat.
"""

from pydantic import BaseModel

from streetineq_assets.predictions import tables
from streetineq_assets.tables import column, schema

REPEAT = ["share", "repeat"]

_SHARE = column(
    "share", "float64", "part of the target's training locations or areas; 0 is no tuning"
)
_REPEAT = column("repeat", "int16", "number of the random choice of that share, from 0")
_TARGET = (
    column("source", "string", "city or bundle that the networks come from"),
    column("city", "string", "key of the target city"),
    column("outcome", "string", "key of the outcome"),
    column(
        "network",
        "string",
        "fine_tuned; beside it trained_here, other_cities (under folds by city) and coordinates",
    ),
)
_METRIC = column("metric", "string", "rank metric, out of fold")

TUNED_LOCATIONS = schema(_SHARE, _REPEAT, *tables.LOCATION_PREDICTIONS)
TUNED_LSOAS = schema(_SHARE, _REPEAT, *tables.LSOA_PREDICTIONS)
TUNED_METRICS = schema(_SHARE, _REPEAT, *tables.METRICS)

TUNING_RUNS = schema(
    _SHARE,
    _REPEAT,
    column("fold", "int16", "the target's fold"),
    column("n_locations", "int32", "locations that tuned the network or selected its epoch"),
    column("n_lsoas", "int32", "areas in which these lie"),
    column("epochs", "int32", "epochs that were run"),
    column("best_epoch", "int32", "epoch that was kept; 0 is the source's network as it is"),
    column("val_loss", "float64", "validation loss of that epoch", unit="nats", nullable=True),
    column("skipped", "string", "why nothing was tuned; empty when it was"),
)

CURVE = schema(
    *_TARGET,
    column("scheme", "string", "how the target's areas were split into folds"),
    _SHARE,
    _REPEAT,
    _METRIC,
    column("value", "float64", "the metric; null where it is undefined", nullable=True),
    column("n_lsoas", "int32", "areas that were compared"),
)

CURVE_SUMMARY = schema(
    *_TARGET,
    _SHARE,
    _METRIC,
    column("mean", "float64", "mean over the repeats; null where undefined", nullable=True),
    column("lowest", "float64", "lowest of the repeats; null where undefined", nullable=True),
    column("highest", "float64", "highest of the repeats; null where undefined", nullable=True),
    column("n_repeats", "int64", "repeats of the share"),
)


class TunedRecord(BaseModel):
    """What later steps need to know of tuned networks.

    Attributes:
        source: city or bundle that they come from.
    """

    source: str
