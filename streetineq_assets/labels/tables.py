"""The tables of this step: postcodes with their areas, labels of areas, and what explains them."""

from streetineq_assets.tables import column, schema

_CITY = column("city", "string", "key of the city in study.toml")
_OUTCOME = column("outcome", "string", "key of the outcome")
_LSOA = column("area", "string", "area, such as an LSOA")

# DuckDB writes this one, row by row from the directory (`postcodes`); a test holds file and schema
# together.
POSTCODE_LSOA = schema(
    column(
        "postcode",
        "string",
        "postcode with one space, as BR1 1AA; the whole directory, terminated ones too",
    ),
    column("city", "string", "key of the city; null outside the study", nullable=True),
    column("authority", "string", "code of its local authority; null outside", nullable=True),
    column("oa", "string", "output area; null where there is none", nullable=True),
    column("area", "string", "area, such as an LSOA", nullable=True),
    column("msoa", "string", "middle layer super output area", nullable=True),
    column(
        "lat",
        "float64",
        "WGS84 latitude; null without a grid reference",
        unit="degrees",
        nullable=True,
    ),
    column("lon", "float64", "WGS84 longitude", unit="degrees", nullable=True),
    column(
        "usertype",
        "int8",
        "0 small user (addresses), 1 large user (one organisation)",
        nullable=True,
    ),
    column(
        "introduced",
        "date32",
        "first day of the month in which the postcode came into use",
        nullable=True,
    ),
    column(
        "terminated",
        "date32",
        "first day of the month in which it went out of use; null while it is live",
        nullable=True,
    ),
)
LSOA_LABELS = schema(
    _CITY,
    _OUTCOME,
    _LSOA,
    column(
        "value",
        "float64",
        "in the outcome's unit: a share from 0 to 1, a national rank, or pounds per year",
        nullable=True,
    ),
    column(
        "national_rank",
        "int32",
        "rank among England's LSOAs, 1 = most deprived; null where none is published",
        nullable=True,
    ),
    column(
        "decile",
        "int8",
        "within the city, 1 = worst-off, 10 = best-off; null where the value is missing",
        nullable=True,
    ),
)
DECILE_EDGES = schema(
    _CITY,
    _OUTCOME,
    column("decile", "int8", "1 = worst-off, 10 = best-off"),
    column("lower", "float64", "values of the decile lie above it; in the outcome's unit"),
    column("upper", "float64", "and do not exceed it; in the outcome's unit"),
    column("n_lsoas", "int64", "areas in the decile"),
    column("n_ties", "int64", "of these, areas that share their value with another area"),
)
AVAILABILITY = schema(
    _CITY,
    _OUTCOME,
    column("status", "string", "`available` or `unavailable`"),
    column("wanted", "string", "official table that would provide labels", nullable=True),
    column("reason", "string", "why there are no labels", nullable=True),
    column(
        "modelled",
        "string",
        "how its publisher estimated it by a model; null where it was counted",
        nullable=True,
    ),
    column(
        "described_from",
        "string",
        "first day that values describe, as 2012-04-01; null where there is no single time",
        nullable=True,
    ),
    column("described_to", "string", "last day that values describe", nullable=True),
)
# Not published: what shares are shares of, for the checks.
DENOMINATORS = schema(
    _CITY, _OUTCOME, _LSOA, column("denominator", "float64", "persons or households")
)
