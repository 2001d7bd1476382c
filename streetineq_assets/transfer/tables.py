"""The tables of this step, and the record that later steps read.

Tuned predictions and metrics are those of `predictions.tables`, once for every network, share and
repeat.
"""

from pydantic import BaseModel

from streetineq_assets.predictions import tables
from streetineq_assets.tables import column, schema

TUNED, FROM_SCRATCH = "fine_tuned", "from_scratch"
OWN, OTHERS = "trained_here", "other_cities"
UNTUNED = "untuned"  # in comparisons: the source's networks as they are
EITHER = "either"  # shares of 0 and 1, which are the same of locations and of areas
REPEAT = ["network", "share_of", "share", "repeat"]
SHARE = REPEAT[:-1]

_MADE = column("network", "string", "fine_tuned; or from_scratch, trained on the same share alone")
_SHARE = (
    column("share_of", "string", "locations or areas; either, where it makes no difference"),
    column("share", "float64", "part of the target's training locations or areas; 0 is no tuning"),
)
_REPEAT = column("repeat", "int16", "number of the random choice of that share, from 0")
_PAIR = (
    column("source", "string", "city or bundle that the networks come from"),
    column("city", "string", "key of the target city"),
    column("outcome", "string", "key of the outcome"),
)
_NETWORK = column(
    "network",
    "string",
    "fine_tuned, from_scratch (on the same share); beside them trained_here, other_cities (under "
    "folds by city) and map_knn",
)
_LABELLED = (
    column(
        "n_lsoas_labelled",
        "float64",
        "areas whose labels were used, mean over the folds; null where it is not known",
        nullable=True,
    ),
    column(
        "share_lsoas_labelled",
        "float64",
        "of the areas that each fold could have learned from; null where it is not known",
        nullable=True,
    ),
)
_METRIC = column("metric", "string", "rank metric, out of fold")

TUNED_LOCATIONS = schema(_MADE, *_SHARE, _REPEAT, *tables.LOCATION_PREDICTIONS)
TUNED_LSOAS = schema(_MADE, *_SHARE, _REPEAT, *tables.LSOA_PREDICTIONS)
TUNED_METRICS = schema(_MADE, *_SHARE, _REPEAT, *tables.METRICS)

TUNING_RUNS = schema(
    _MADE,
    *_SHARE,
    _REPEAT,
    column("fold", "int16", "the target's fold"),
    column("n_locations", "int32", "locations that taught the network or selected its epoch"),
    column("n_lsoas", "int32", "areas in which these lie"),
    column("n_lsoas_of_fold", "int32", "areas that the fold could have learned from"),
    column("epochs", "int32", "epochs that were run"),
    column("best_epoch", "int32", "epoch that was kept; 0 is the source's network as it is"),
    column("val_loss", "float64", "validation loss of that epoch", unit="nats", nullable=True),
    column("skipped", "string", "why nothing was trained; empty when it was"),
)

CURVE = schema(
    *_PAIR,
    _NETWORK,
    column("scheme", "string", "how the target's areas were split into folds"),
    *_SHARE,
    _REPEAT,
    *_LABELLED,
    _METRIC,
    column("value", "float64", "the metric; null where it is undefined", nullable=True),
    column("n_lsoas", "int32", "areas that were compared"),
)

CURVE_SUMMARY = schema(
    *_PAIR,
    _NETWORK,
    *_SHARE,
    *_LABELLED,
    _METRIC,
    column("mean", "float64", "mean over the repeats; null where undefined", nullable=True),
    column("lowest", "float64", "lowest of the repeats; null where undefined", nullable=True),
    column("highest", "float64", "highest of the repeats; null where undefined", nullable=True),
    column("n_repeats", "int64", "repeats of the share"),
)

TRANSFER_COMPARISONS = schema(
    *_PAIR,
    *_SHARE,
    column("against", "string", "trained_here, untuned (share 0), or from_scratch (same share)"),
    column("margin", "float64", "the difference must lie above minus this; 0: must be better"),
    _METRIC,
    column("difference", "float64", "tuned minus the other, mean over repeats", nullable=True),
    column("lower", "float64", "lower end of its 95 % interval", nullable=True),
    column("upper", "float64", "upper end of its 95 % interval", nullable=True),
    column("n_repeats", "int32", "repeats of the share"),
    column("n_lsoas", "int32", "areas that were compared"),
    column("n_blocks", "int32", "squares of the map, or areas, that were drawn"),
    column("result", "string", "holds, does not hold, undecided, or not tested"),
)


class TunedRecord(BaseModel):
    """What later steps need to know of tuned networks.

    Attributes:
        source: city or bundle that they come from.
    """

    source: str
