"""The tables of this step, and the record that later steps read."""

from pydantic import BaseModel

from streetineq_assets.tables import column, schema

_KEYS = (
    column("city", "string", "key of the city in study.toml"),
    column("outcome", "string", "key of the outcome"),
    column("scheme", "string", "how areas were split into folds"),
)
_MODEL = column("model", "string", "joint_network, or the name of a baseline")
_SEED = column(
    "seed", "int64", "number of the training, from 0; 0 for what is not trained at random"
)
_METRIC = column("metric", "string", "name of the metric")
_INTERVAL = (
    column("lower", "float64", "lower end of the interval, blocks resampled", nullable=True),
    column("upper", "float64", "upper end of the interval, blocks resampled", nullable=True),
)
_UNIT = column("unit", "string", "what was resampled: spatial_block, msoa or lsoa")
_N_LSOAS = column("n_lsoas", "int32", "areas that were compared")

SCHEME_SCORES = schema(
    *_KEYS,
    _MODEL,
    _SEED,
    column("area", "string", "area, such as an LSOA"),
    column("fold", "int64", "fold that tests the area; -1 where it is in several"),
    column("score", "float64", "out-of-fold score; higher is better-off", nullable=True),
)

EVIDENCE_MATRIX = schema(
    *_KEYS,
    _MODEL,
    _METRIC,
    column("value", "float64", "the metric, mean over the seeds", nullable=True),
    *_INTERVAL,
    _UNIT,
    column("seed_sd", "float64", "standard deviation over the seeds", nullable=True),
    column("n_seeds", "int64", "trainings; 1 for what is not trained at random"),
    _N_LSOAS,
)

GAINS = schema(
    *_KEYS,
    _MODEL,
    _METRIC,
    column("gain", "float64", "by how much it is better than the best map baseline", nullable=True),
    *_INTERVAL,
    _UNIT,
    _N_LSOAS,
)

FLATTERY = schema(
    *_KEYS,
    _MODEL,
    _METRIC,
    column(
        "flattery",
        "float64",
        "by how much the study's own scheme makes it look better than this one",
        nullable=True,
    ),
    *_INTERVAL,
    _UNIT,
    _N_LSOAS,
)


class SchemeRecord(BaseModel):
    """What the matrix needs to know of the scores under one scheme.

    Attributes:
        outcomes: those that were trained together.
        n_seeds: trainings.
        synthetic: whether the codes are of synthetic images or random weights.
    """

    outcomes: tuple[str, ...]
    n_seeds: int
    synthetic: bool = False


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
