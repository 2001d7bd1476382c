"""What a map of the report shows of each area: the classes of a value, with colours and words.

Every scale runs from dark to light, or from light to dark, so that it survives grey print.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from streetineq_assets.plotting import DECILE_COLOURS

_END = 99  # above every value that is mapped


@dataclass(frozen=True)
class Layer:
    """One kind of map.

    Attributes:
        key: of the layer, for the page's controls.
        title: above the map.
        about: how to read it, in one sentence.
        values: (n,) whole numbers of a pair's areas (`LSOA_PREDICTIONS`), missing where unknown.
        uppers: the last value of each class, ascending.
        labels, colours: of each class.
    """

    key: str
    title: str
    about: str
    values: Callable[[pd.DataFrame], pd.Series]
    uppers: tuple[int, ...]
    labels: tuple[str, ...]
    colours: tuple[str, ...]

    def classes(self, areas: pd.DataFrame) -> np.ndarray:
        """(n,) number of each area's class, -1 where its value is missing."""
        values = self.values(areas).astype("Float64").to_numpy(float, na_value=np.nan)
        found = np.searchsorted(self.uppers, np.nan_to_num(values))
        return np.where(np.isnan(values), -1, found)

    def described(self) -> dict[str, Any]:
        """What the page's script needs to draw it."""
        return {
            "key": self.key,
            "title": self.title,
            "about": self.about,
            "uppers": self.uppers,
            "labels": self.labels,
            "colours": self.colours,
        }


_DECILES = tuple(range(1, 11))
_DECILE_LABELS = ("1 worst-off", *map(str, range(2, 10)), "10 best-off")

PREDICTED = Layer(
    "predicted",
    "Predicted decile",
    "What the network says, out of fold.",
    lambda areas: areas["decile"],
    _DECILES,
    _DECILE_LABELS,
    DECILE_COLOURS,
)
ACTUAL = Layer(
    "actual",
    "Actual decile",
    "What the official statistics say.",
    lambda areas: areas["actual_decile"],
    _DECILES,
    _DECILE_LABELS,
    DECILE_COLOURS,
)
WIDTH = Layer(
    "width",
    "Width of the interval",
    "How many of the ten deciles the interval holds: the more, the less is known.",
    lambda areas: areas["upper"] - areas["lower"] + 1,
    (2, 4, 6, 8, 10),
    ("1 to 2 deciles", "3 to 4", "5 to 6", "7 to 8", "9 to 10"),
    ("#f1eef6", "#bdc9e1", "#74a9cf", "#2b8cbe", "#045a8d"),
)
RESIDUAL = Layer(
    "residual",
    "Predicted minus actual",
    "Dark: predicted worse-off than it is; light: better-off.",
    lambda areas: areas["decile"] - areas["actual_decile"],
    (-5, -3, -2, 1, 2, 4, _END),
    (
        "5 or more too low",
        "3 to 4 too low",
        "2 too low",
        "within 1",
        "2 too high",
        "3 to 4 too high",
        "5 or more too high",
    ),
    ("#0b2259", "#2f4f9e", "#5f78b3", "#9b9b9b", "#d6b878", "#edd27c", "#fdeeb4"),
)
MOVED = Layer(
    "moved",
    "Moved by another rule",
    "By how many deciles the choice of the aggregation rule moves an area.",
    lambda areas: areas["rank_change"],
    (0, 1, 2, 4, _END),
    ("not moved", "1 decile", "2", "3 to 4", "5 or more"),
    ("#f3f3f3", "#fdcc8a", "#fc8d59", "#d7301f", "#7f0000"),
)
LAYERS = (PREDICTED, ACTUAL, WIDTH, RESIDUAL, MOVED)
