"""The tables of this step: their columns, types and meanings, in one place.

What belongs here: the schemas, and the two functions that make a frame fit one. What does not: how
a column is calculated. The assets show the descriptions in the UI, and an unavailable pair
publishes the empty tables.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

Schema = dict[str, tuple[str, str]]

_KEYS: Schema = {
    "city": ("str", "key of the city in study.toml"),
    "outcome": ("str", "key of the outcome"),
}
PROBABILITIES = tuple(f"p_{decile}" for decile in range(1, 11))

LOCATIONS: Schema = {
    **_KEYS,
    "location_id": ("str", "identifier of the location"),
    "lsoa11": ("str", "LSOA of 2011 in which the location lies"),
    "fold": ("Int16", "the fold whose network had not seen this location's area"),
    "weight": ("int32", "live small-user postcodes that the location serves, count"),
    "h": ("float32", "out-of-fold score of the network, logit; higher is better-off"),
    "decile": ("Int8", "the most probable decile, the lower one in a tie, 1 = worst-off"),
    **{
        name: ("float32", f"probability of decile {decile}, share")
        for decile, name in enumerate(PROBABILITIES, start=1)
    },
    "actual_decile": ("Int8", "decile of the area in the official statistics, 1 = worst-off"),
}

LSOAS: Schema = {
    **_KEYS,
    "lsoa11": ("str", "LSOA of 2011"),
    "actual_decile": ("Int8", "decile in the official statistics, 1 = worst-off"),
    "score": ("float64", "mean score of the area's locations, weighted, logit"),
    "decile": ("Int8", "predicted decile by the study's rule, 1 = worst-off"),
    "decile_mean_score": ("Int8", "decile of the mean score among the city's areas"),
    "decile_mean_decile": ("Int8", "rounded mean of the locations' deciles (original's script)"),
    "decile_fixed_borders": ("Int8", "decile of the mean score by the link's own borders"),
    "n_locations": ("int32", "locations that were predicted in the area, count"),
    "n_images": ("int32", "images behind them, count"),
    "fold": ("Int16", "fold in which the area was predicted; null where it lies in several"),
    "lower": ("Int8", "lower end of the 90 % interval of the actual decile"),
    "upper": ("Int8", "upper end of the 90 % interval of the actual decile"),
}

METRICS: Schema = {
    **_KEYS,
    "model": ("str", "network, or the name of a baseline"),
    "scheme": ("str", "how areas were split into folds"),
    "metric": ("str", "name of the metric"),
    "value": ("float64", "the metric; null where it is undefined"),
    "lower": ("float64", "lower end of the 95 % interval, areas resampled"),
    "upper": ("float64", "upper end of the 95 % interval, areas resampled"),
    "n_lsoas": ("int32", "areas that were compared, count"),
}

COMPARISONS: Schema = {
    **_KEYS,
    "baseline": ("str", "name of the baseline"),
    "scheme": ("str", "how areas were split into the baseline's folds"),
    "metric": ("str", "name of the metric"),
    "difference": ("float64", "network minus baseline on the same areas"),
    "lower": ("float64", "lower end of the 95 % interval, the same draws for both"),
    "upper": ("float64", "upper end of the 95 % interval, the same draws for both"),
    "n_lsoas": ("int32", "areas that were compared, count"),
}

CONFUSION: Schema = {
    **_KEYS,
    "actual": ("int8", "decile in the official statistics, 1 = worst-off"),
    "predicted": ("int8", "predicted decile by the study's rule, 1 = worst-off"),
    "n": ("int32", "areas, count"),
}

COVERAGE: Schema = {
    **_KEYS,
    "actual": ("int8", "decile in the official statistics, 1 = worst-off"),
    "n_lsoas": ("int32", "areas of this decile that have an interval, count"),
    "coverage": ("float64", "share of them whose interval holds the actual decile"),
    "mean_width": ("float64", "mean number of deciles in an interval"),
}


def conform(frame: "pd.DataFrame", schema: Schema) -> "pd.DataFrame":
    """The schema's columns of a frame, in its order and of its types.

    Raises:
        KeyError: the frame lacks a column: a mistake of the program, not of the input.
    """
    types = {column: dtype for column, (dtype, _) in schema.items()}
    return frame[list(schema)].astype(types).reset_index(drop=True)


def empty(schema: Schema) -> "pd.DataFrame":
    """The table without rows."""
    import pandas as pd

    return conform(pd.DataFrame(columns=list(schema)), schema)


def descriptions(schema: Schema) -> dict[str, str]:
    """Column to description, as the UI and the warehouse show it."""
    return {column: text for column, (_, text) in schema.items()}
