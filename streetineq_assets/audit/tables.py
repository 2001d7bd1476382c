"""The tables of this step."""

from streetineq_assets.tables import column, schema

_CITY = column("city", "string", "key of the city in study.toml")
_OUTCOME = column("outcome", "string", "key of the outcome")
_SHARE = "of them, areas that were ranked by their predictions"

DATA_AUDIT = schema(
    _CITY,
    _OUTCOME,
    column("is_modelled", "bool", "whether the publisher's values are estimates of a model"),
    column(
        "described_from",
        "string",
        "first day that the official values describe, as 2012-04-01; null without a single time",
        nullable=True,
    ),
    column("described_to", "string", "last day that the official values describe", nullable=True),
    column("n_locations", "int64", "locations with an area"),
    column("n_dated", "int64", "of them, locations with a day of capture"),
    column(
        "years_after",
        "float64",
        "median time from the middle of the period to the capture; negative if before it",
        unit="years",
        nullable=True,
    ),
    column(
        "years_apart",
        "float64",
        "median time between the middle of the period and the capture",
        unit="years",
        nullable=True,
    ),
    column("n_lsoas", "int64", "areas with a label"),
    column("n_ranked", "int64", _SHARE),
    column("share_ranked", "float64", _SHARE, unit="share", nullable=True),
    column(
        "mean_decile_ranked",
        "float64",
        "mean actual decile of the ranked areas; 5.5 where they stand for the city",
        nullable=True,
    ),
    column(
        "difference",
        "float64",
        "ranked share in decile 10 minus that in decile 1, on a straight line",
        unit="share",
        nullable=True,
    ),
    column("lower", "float64", "lower end of its 95 % interval, MSOAs left out", nullable=True),
    column("upper", "float64", "upper end of its 95 % interval, MSOAs left out", nullable=True),
    column("p_value", "float64", "of a difference of nothing", nullable=True),
    column("n_msoas", "int64", "MSOAs in which the areas with a label lie"),
)
COVERAGE_BY_DECILE = schema(
    _CITY,
    _OUTCOME,
    column("actual", "int8", "decile in the official statistics; 1 is worst-off"),
    column("n_lsoas", "int64", "areas of this decile"),
    column("n_ranked", "int64", _SHARE),
    column("share_ranked", "float64", _SHARE, unit="share", nullable=True),
)
CAPTURE_YEARS = schema(
    _CITY,
    column("year", "int16", "year of the images; null where it is unknown", nullable=True),
    column("n_locations", "int64", "locations with an area"),
)
