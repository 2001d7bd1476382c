"""Digests of labels as the steps read them: of hundreds of pairs, whose rows are hashed city-wise.

A pair's labels are consecutive rows of its city's, once these are sorted, so a digest of them is
one of hashes that are there. What the rows are is said by `dataset.city_labels`,
`location_scores.pair_labels` and `places.pair_values`; a test holds them together.
"""

from functools import cached_property

import numpy as np
import pandas as pd

from streetineq_assets.digests import RowDigests, digest_frame
from streetineq_assets.models.dataset import labels_among


class CityLabels:
    """The labels of one city.

    Args:
        table: its rows of `lsoa_labels`, with `dataset.LABEL_COLUMNS` and `value`.
        city: its key.
    """

    def __init__(self, table: pd.DataFrame, city: str) -> None:
        self._table, self._city = table, city

    def trained_on(self, outcomes: tuple[str, ...]) -> str:
        """Of `city_labels` of these outcomes."""
        if len(outcomes) == 1:
            return self._named.of(outcomes[0])
        return digest_frame(labels_among(self._table, self._city, outcomes))

    def compared_with(self, outcome: str) -> str:
        """Of `area, decile` of `city_labels` of one outcome."""
        return self._unnamed.of(outcome)

    def of_pair(self, outcome: str) -> str:
        """Of `pair_labels`."""
        return self._with_gaps.of(outcome)

    def values_of_pair(self, outcome: str) -> str:
        """Of `pair_values`."""
        return self._values.of(outcome)

    def n_labelled(self, outcome: str) -> int:
        """Areas with a decile."""
        return self._values.rows_of(outcome)

    @cached_property
    def _used(self) -> pd.DataFrame:
        return labels_among(self._table, self._city, self._table["outcome"].unique().tolist())

    @cached_property
    def _sorted(self) -> pd.DataFrame:
        return self._table.sort_values(["outcome", "area"], ignore_index=True)

    @cached_property
    def _named(self) -> "_ByOutcome":
        return _ByOutcome(self._used, list(self._used.columns))

    @cached_property
    def _unnamed(self) -> "_ByOutcome":
        return _ByOutcome(self._used, ["area", "decile"])

    @cached_property
    def _with_gaps(self) -> "_ByOutcome":
        return _ByOutcome(self._sorted, ["area", "decile"])

    @cached_property
    def _values(self) -> "_ByOutcome":
        known = self._sorted[self._sorted["decile"].notna()]
        return _ByOutcome(known, ["area", "decile", "value"])


class _ByOutcome:
    """Digests of the rows of each outcome, with some of the columns."""

    def __init__(self, table: pd.DataFrame, columns: list[str]) -> None:
        self._digests = RowDigests(table[columns])
        self._rows = table.groupby("outcome", sort=False).indices

    def of(self, outcome: str) -> str:
        return self._digests.of(self._rows.get(outcome, np.arange(0)))

    def rows_of(self, outcome: str) -> int:
        return len(self._rows.get(outcome, ()))
