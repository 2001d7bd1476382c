"""What is read of each of two sides, and the table of the areas that differ."""

import pyarrow as pa

from streetineq_assets.predictions.tables import LSOA_PREDICTIONS
from streetineq_assets.predictions.tables import METRICS as ALL_METRICS
from streetineq_assets.tables import column, schema

AREA_KEYS = ("city", "outcome", "area")
AREA_VALUES = (
    "decile",
    "lower",
    "upper",
    "score",
    "actual_decile",
    "is_published",
    "too_uncertain_to_rank",
)
METRIC_KEYS = ("city", "outcome", "metric", "model", "scheme")
METRIC_VALUES = ("value", "lower", "upper", "n_lsoas")


def _part(whole: pa.Schema, names: tuple[str, ...]) -> pa.Schema:
    return pa.schema([whole.field(name) for name in names])


AREAS = _part(LSOA_PREDICTIONS, (*AREA_KEYS, *AREA_VALUES))
METRICS = _part(ALL_METRICS, (*METRIC_KEYS, *METRIC_VALUES))


def _of_either(side: str, note: str) -> list[pa.Field]:
    """The columns of one side; they are missing where that side lacks the area."""
    return [
        column(f"{name}_{side}", AREAS.field(name).type, f"{note}: {what}", nullable=True)
        for name, what in (
            ("decile", "predicted decile; 1 is worst-off"),
            ("lower", "lower end of the actual decile's interval"),
            ("upper", "upper end of it"),
            ("score", "weighted mean score of its locations"),
            ("actual_decile", "decile in the official statistics"),
            ("is_published", "whether it has the locations that the study asks for"),
            ("too_uncertain_to_rank", "whether it is too uncertain to be ranked"),
        )
    ]


CHANGED_AREAS = schema(
    *(AREAS.field(name) for name in AREA_KEYS),
    column("verdict", "string", "whether it moved, and whether beyond the intervals"),
    column("move", "int8", "decile in B minus decile in A", unit="deciles", nullable=True),
    *_of_either("a", "in A"),
    *_of_either("b", "in B"),
)
