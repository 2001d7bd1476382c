"""The tables of this step."""

from streetineq_assets.tables import column, schema

EQUITY = schema(
    column("city", "string", "key of the city in study.toml"),
    column("outcome", "string", "key of the outcome"),
    column(
        "grouping",
        "string",
        "by what areas are grouped: city (all), actual_decile, authority, or a column of a file",
    ),
    column("group", "string", "group of areas"),
    column("n_lsoas", "int32", "areas of the group that the measure is taken of"),
    column("measure", "string", "what is measured; the manual lists the measures"),
    column(
        "value", "float64", "the measure; null where no area is one to take it of", nullable=True
    ),
    column(
        "lower",
        "float64",
        "lower end of the 95 % interval, MSOAs resampled; null in fewer than four MSOAs",
        nullable=True,
    ),
    column("upper", "float64", "upper end of the same interval", nullable=True),
    column(
        "p_adjusted",
        "float64",
        "of error_at_same_decile: p-value by Holm's rule over all groups; null: not tested",
        nullable=True,
    ),
    column("differs", "bool", "whether that is at most 0.05; null: not tested", nullable=True),
)
