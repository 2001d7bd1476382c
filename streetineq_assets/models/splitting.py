"""Which rows a fold learns from and is tested on, and what it must not learn from.

A location that shows what a tested one shows tells the network the answer: the same picture, one
that looks the same, or the same place. It is left out of training and validation; the tested one
stays, so that what is scored does not depend on repeats.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray


@dataclass(frozen=True)
class Split:
    """Which rows a fold's network learns from, is selected on, and is tested on; masks.

    Attributes:
        dropped: kind of repeat to the rows (n,) that are left out of training and validation for
            it; a row may be left out for several.
    """

    train: NDArray[np.bool_]
    validation: NDArray[np.bool_]
    test: NDArray[np.bool_]
    dropped: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)

    def only(self, mask: NDArray[np.bool_]) -> "Split":
        """The split of the masked rows."""
        dropped = {kind: rows[mask] for kind, rows in self.dropped.items()}
        return Split(self.train[mask], self.validation[mask], self.test[mask], dropped)

    def n_dropped(self) -> dict[str, int]:
        """How many rows are left out, in all and by kind of repeat."""
        if not self.dropped:
            return {"n_dropped_as_repeats": 0}
        any_kind = np.logical_or.reduce(list(self.dropped.values()))
        by_kind = {f"n_dropped_as_{kind}": int(rows.sum()) for kind, rows in self.dropped.items()}
        return {"n_dropped_as_repeats": int(any_kind.sum())} | by_kind


def without_repeats(split: Split, rows: pd.DataFrame, repeats: pd.DataFrame) -> Split:
    """The split less the training and validation rows that repeat a test row.

    Args:
        rows: `location_id` of one city.
        repeats: `codes.tables.IMAGE_REPEATS`; each pair counts in both directions.
    """
    n = len(rows)
    names = ["location_id", "other_location_id"]
    # One number for each location: text is slow to compare, and folds are many.
    number, known = pd.factorize(pd.concat([rows["location_id"], *(repeats[c] for c in names)]))
    of_row, first, second = np.split(number, [n, n + len(repeats)])
    tested = np.zeros(len(known), bool)
    tested[of_row[split.test]] = True
    learn = split.train | split.validation
    dropped = {}
    for kind, pairs in repeats.reset_index().groupby("kind"):
        one, other = first[pairs.index], second[pairs.index]
        of_test = np.zeros(len(known), bool)
        of_test[other[tested[one]]] = of_test[one[tested[other]]] = True
        dropped[str(kind)] = learn & of_test[of_row]
    kept = ~np.logical_or.reduce([np.zeros(n, bool), *dropped.values()])
    return Split(split.train & kept, split.validation & kept, split.test, dropped)
