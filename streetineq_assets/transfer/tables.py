"""The tables of this step."""

from streetineq_assets.predictions import tables
from streetineq_assets.tables import column, schema

DRAW = ["fraction", "draw"]
_DRAW = (
    column("fraction", "float64", "share of the target's training locations or areas"),
    column("draw", "int16", "number of the random draw of that share"),
)
LOCATIONS = schema(*_DRAW, *tables.LOCATIONS)
LSOAS = schema(*_DRAW, *tables.LSOAS)
METRICS = schema(*_DRAW, *tables.METRICS)
RUNS = schema(*_DRAW)
CURVE = schema(
    column("source", "string", "city or bundle that the networks come from"),
    column("city", "string", "key of the target city"),
    column("outcome", "string", "key of the outcome"),
    column("network", "string", "fine_tuned"),
    column("scheme", "string", "how the target's areas were split into folds"),
    *_DRAW,
    column("metric", "string", "rank metric, out of fold"),
    column("value", "float64", "the metric; null where it is undefined", nullable=True),
    column("n_lsoas", "int32", "areas that were compared, count"),
)
CURVE_SUMMARY = schema(
    column("source", "string", "city or bundle that the networks come from"),
    column("city", "string", "key of the target city"),
    column("outcome", "string", "key of the outcome"),
    column("network", "string", "fine_tuned"),
    column("share", "float64", "share"),
    column("metric", "string", "rank metric, out of fold"),
    column("mean", "float64", "", nullable=True),
    column("lowest", "float64", "", nullable=True),
    column("highest", "float64", "", nullable=True),
    column("n_repeats", "int64", ""),
)
