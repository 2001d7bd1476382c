"""The tables of this step, and the records that later steps read."""

from pydantic import BaseModel

from streetineq_assets.models.tables import PROBABILITIES
from streetineq_assets.tables import column, schema

_KEYS = (
    column("city", "string", "key of the city in study.toml"),
    column("outcome", "string", "key of the outcome"),
)
_ACTUAL = column("actual", "int8", "decile in the official statistics; 1 is worst-off")
_ACTUAL_DECILE = column(
    "actual_decile",
    "int8",
    "decile of the area in the official statistics; 1 is worst-off",
    nullable=True,
)
_METRIC = column("metric", "string", "name of the metric")
_N_LSOAS = column("n_lsoas", "int32", "areas that were compared")
_INTERVAL = (
    column("lower", "float64", "lower end of the 95 % interval, units resampled", nullable=True),
    column("upper", "float64", "upper end of the 95 % interval, units resampled", nullable=True),
)
_RESAMPLED = "what is resampled whole: spatial_block, msoa or lsoa"
_UNIT = column("unit", "string", _RESAMPLED, nullable=True)
_MODEL = column("model", "string", "network, or the name of a baseline")
_SCHEME = column("scheme", "string", "how areas were split into folds")

LOCATION_PREDICTIONS = schema(
    *_KEYS,
    column("location_id", "string", "identifier of the location"),
    column("lsoa11", "string", "LSOA of 2011 in which the location lies"),
    column("fold", "int16", "fold whose network had not seen this location's area"),
    column("weight", "int32", "live small-user postcodes that the location serves"),
    column("h", "float32", "out-of-fold score; higher is better-off", unit="logit"),
    column("decile", "int8", "most probable decile, the lower one in a tie; 1 is worst-off"),
    *(
        column(name, "float32", f"probability of decile {decile}", unit="share")
        for decile, name in enumerate(PROBABILITIES, start=1)
    ),
    _ACTUAL_DECILE,
)

LSOA_PREDICTIONS = schema(
    *_KEYS,
    column("lsoa11", "string", "LSOA of 2011"),
    _ACTUAL_DECILE,
    column("score", "float64", "weighted mean score of the area's locations", unit="logit"),
    column("decile", "int8", "predicted decile by the study's rule; 1 is worst-off"),
    column("decile_mean_score", "int8", "decile of the mean score among the city's areas"),
    column("decile_mean_decile", "int8", "rounded mean of the locations' deciles"),
    column("decile_fixed_borders", "int8", "decile of the mean score by the link's own borders"),
    column("n_locations", "int32", "locations that were predicted in the area"),
    column("n_images", "int32", "images of these locations"),
    column("fold", "int16", "fold that tests the area; null where it is in several", nullable=True),
    column("lower", "int8", "lower end of the 90 % interval of the actual decile", nullable=True),
    column("upper", "int8", "upper end of the 90 % interval of the actual decile", nullable=True),
)

METRICS = schema(
    *_KEYS,
    _MODEL,
    _SCHEME,
    _METRIC,
    column("value", "float64", "the metric; null where it is undefined", nullable=True),
    *_INTERVAL,
    _UNIT,
    _N_LSOAS,
    column("seed_mean", "float64", "mean over the network's seeds", nullable=True),
    column("seed_sd", "float64", "standard deviation over the network's seeds", nullable=True),
    column("n_seeds", "int16", "seeds that the network was trained by", nullable=True),
)

INTERVALS = schema(
    *_KEYS,
    _MODEL,
    _SCHEME,
    _METRIC,
    column("unit", "string", _RESAMPLED),
    column("n_units", "int32", "units that were resampled"),
    column(
        "block_m",
        "float64",
        "side of a square that holds as many areas as a spatial block",
        unit="metres",
        nullable=True,
    ),
    *_INTERVAL,
)

COMPARISONS = schema(
    *_KEYS,
    column("baseline", "string", "name of the baseline; map_best: in each draw the best map"),
    column("scheme", "string", "how areas were split into the baseline's folds"),
    _METRIC,
    column("difference", "float64", "network minus baseline on the same areas", nullable=True),
    *_INTERVAL,
    _UNIT,
    _N_LSOAS,
)

CONFUSION = schema(
    *_KEYS,
    _ACTUAL,
    column("predicted", "int8", "predicted decile by the study's rule; 1 is worst-off"),
    column("n", "int32", "areas with these two deciles"),
)

COVERAGE = schema(
    *_KEYS,
    _ACTUAL,
    column("n_lsoas", "int32", "areas of this decile that have an interval"),
    column("coverage", "float64", "those whose interval holds the actual decile", unit="share"),
    column("mean_width", "float64", "mean number of deciles in an interval", unit="deciles"),
)

BY_N_LOCATIONS = schema(
    *_KEYS,
    column("group", "string", "locations in the area"),
    column("n_lsoas", "int32", "areas with so many locations"),
    column("spearman_score", "float64", "Spearman's rho of score and decile", nullable=True),
    column("kappa_quadratic", "float64", "quadratic kappa", nullable=True),
    column("mae", "float64", "mean absolute error", unit="deciles", nullable=True),
)


class SchemeRecord(BaseModel):
    """What later steps need to know of predicted or evaluated areas.

    Attributes:
        scheme: how areas were split into folds; None where nothing was predicted, and where a
            version made the artefact that did not record it.
    """

    scheme: str | None = None


class LocationPredictionsRecord(SchemeRecord):
    """What later steps need to know of predicted locations.

    Attributes:
        n_predicted: locations.
    """

    n_predicted: int = 0
