"""The tables of this step, and the records that later steps read."""

from pydantic import BaseModel

from streetineq_assets.images.catalogue import VIEWS
from streetineq_assets.models.tables import PROBABILITIES
from streetineq_assets.tables import Origins, column, schema

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
    column("area", "string", "area in which the location lies"),
    column("fold", "int16", "fold whose network had not seen this location's area"),
    column("weight", "int32", "live small-user postcodes that the location serves"),
    column("n_views", "int8", "views of it of which there are codes"),
    column("h", "float32", "out-of-fold score; higher is better-off", unit="logit"),
    column("decile", "int8", "most probable decile, the lower one in a tie; 1 is worst-off"),
    *(
        column(name, "float32", f"probability of decile {decile}", unit="share")
        for decile, name in enumerate(PROBABILITIES, start=1)
    ),
    _ACTUAL_DECILE,
)

LOCATION_PREDICTIONS_ORIGINS: Origins = {
    **{name: [("locations", name)] for name in ("location_id", "area", "weight")},
    "n_views": [("hdf5_shards", "features")],
    **{name: [("trained_model", name)] for name in ("fold", "h", *PROBABILITIES)},
    "decile": [("trained_model", name) for name in PROBABILITIES],
    "actual_decile": [("lsoa_labels", "decile")],
}
LSOA_PREDICTIONS = schema(
    *_KEYS,
    column("area", "string", "area, such as an LSOA"),
    _ACTUAL_DECILE,
    column(
        "score",
        "float64",
        "weighted mean score of the area's locations, of folds on one scale where the study asks "
        "for it",
        unit="logit",
    ),
    column(
        "score_shrunk",
        "float64",
        "the score shrunk towards the city's mean, the more the fewer locations",
        unit="logit",
    ),
    column("decile", "int8", "predicted decile by the study's rule; 1 is worst-off"),
    column("decile_mean_score", "int8", "decile of the mean score among the city's areas"),
    column("decile_shrunk_score", "int8", "decile of the shrunk score among the city's areas"),
    column("decile_mean_decile", "int8", "rounded mean of the locations' deciles"),
    column("decile_fixed_borders", "int8", "decile of the mean score by the link's own borders"),
    column("n_locations", "int32", "locations that were predicted in the area"),
    column("n_images", "int32", "images of these locations"),
    column("fold", "int16", "fold that tests the area; null where it is in several", nullable=True),
    column("lower", "int8", "lower end of the actual decile's interval", nullable=True),
    column(
        "upper",
        "int8",
        "upper end of it, at the level under [intervals] in study.toml; no interval where other "
        "folds have too few areas",
        nullable=True,
    ),
    column(
        "rank_change", "int8", "largest difference between its deciles by two rules", unit="deciles"
    ),
    column(
        "is_published", "bool", "whether it has the locations that the study asks for to publish it"
    ),
    column(
        "too_uncertain_to_rank",
        "bool",
        "whether it is not published, or its interval leaves out two of the ten deciles at most; "
        "null where it has enough locations and no interval",
        nullable=True,
    ),
    column(
        "expected_decile",
        "float64",
        "mean of the calibrated probabilities; null where other folds have too few areas",
        unit="deciles",
        nullable=True,
    ),
    *(
        column(
            name,
            "float32",
            f"probability of decile {decile}, calibrated on the other folds' areas",
            unit="share",
            nullable=True,
        )
        for decile, name in enumerate(PROBABILITIES, start=1)
    ),
)
_SCORED = tuple(("location_predictions", name) for name in ("h", "weight", "area"))
LSOA_PREDICTIONS_ORIGINS: Origins = {
    **dict.fromkeys(("score", "score_shrunk", "decile", "decile_mean_score"), _SCORED),
    **dict.fromkeys(("decile_shrunk_score", "decile_fixed_borders", "rank_change"), _SCORED),
    "decile_mean_decile": [("location_predictions", "decile")],
    "n_locations": [("location_predictions", "location_id")],
    **{name: [("location_predictions", name)] for name in ("area", "fold", "actual_decile")},
    **dict.fromkeys(
        ("lower", "upper", "expected_decile", *PROBABILITIES),
        (*_SCORED, ("location_predictions", "actual_decile")),
    ),
}

CALIBRATION = schema(
    *_KEYS,
    column("fold", "int16", "fold whose areas got their probabilities by this link"),
    column("a", "float64", "intercept", unit="logit"),
    column("b", "float64", "slope: 1 leaves the score's own spread", unit="logit per logit"),
    column("dispersion", "float64", "1 is binomial, below it wider, above it narrower"),
    column("n_lsoas", "int32", "areas of the other folds that fitted it"),
    column("is_slope_fixed", "bool", "whether they were too few to fit the slope"),
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
    column("n_deals", "int16", "folds among these seeds: 1 where all share theirs", nullable=True),
)
METRICS_ORIGINS: Origins = dict.fromkeys(
    ("value", "lower", "upper"),
    (
        *(("lsoa_predictions", name) for name in ("score", "decile", "actual_decile")),
        ("baseline_scores", "score"),
    ),
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
    column("grouped_by", "string", "what groups areas: all, actual_decile or n_locations"),
    column("value", "string", "of the group: all, a decile, or a range of numbers of locations"),
    column("actual", "int8", "the decile of a group by actual_decile", nullable=True),
    column("n_lsoas", "int32", "areas of the group that have an interval"),
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

INFLUENCES = tuple(f"influence_{view}" for view in VIEWS)
EXPLANATIONS = schema(
    *_KEYS,
    column("area", "string", "area in which the location lies"),
    column("location_id", "string", "identifier of the location"),
    column("fold", "int16", "fold whose network had not seen this location's area"),
    column("weight", "int32", "live small-user postcodes that the location serves"),
    column("h", "float32", "out-of-fold score; higher is better-off", unit="logit"),
    column("n_locations", "int32", "locations that were predicted in the area"),
    column(
        "location_influence",
        "float64",
        "the area's weighted mean score minus the same without this location; null where it is the "
        "area's only one",
        unit="logit",
        nullable=True,
    ),
    *(
        column(
            name,
            "float32",
            f"the location's score minus its score by the same network without view {view}; null "
            "where it is absent, or the only one",
            unit="logit",
            nullable=True,
        )
        for view, name in zip(VIEWS, INFLUENCES, strict=True)
    ),
)
_BY_NETWORK = (("trained_model", "h"), ("hdf5_shards", "features"))
EXPLANATIONS_ORIGINS: Origins = {
    **{
        name: [("location_predictions", name)]
        for name in ("area", "location_id", "fold", "weight", "h")
    },
    "n_locations": [("location_predictions", "area")],
    "location_influence": [("location_predictions", name) for name in ("h", "weight", "area")],
    **dict.fromkeys(INFLUENCES, _BY_NETWORK),
}

EXEMPLARS = schema(
    *_KEYS,
    column("direction", "string", "up: the view makes its location look better-off; or down"),
    column("rank", "int16", "from the strongest influence on, at most one view of an area"),
    column("location_id", "string", "identifier of the location"),
    column("area", "string", "area in which the location lies"),
    column("view", "string", "a, b, c or d"),
    column(
        "heading_degrees", "int16", "direction of the view, counted from the first", unit="degrees"
    ),
    column(
        "influence",
        "float32",
        "the location's score minus its score by the same network without this view",
        unit="logit",
    ),
    column("provider", "string", "who took the image, as listed", nullable=True),
    column("licence", "string", "under which licence, as listed", nullable=True),
    column("creator", "string", "who is to be named as its author, as listed", nullable=True),
    column("conditions", "string", "under which it may be shown, in words", nullable=True),
    column("why_not_shown", "string", "why there is no thumbnail", nullable=True),
    column(
        "thumbnail",
        "binary",
        "the image as a JPEG file of at most 192 x 120 pixels, where it may be shown",
        nullable=True,
    ),
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
