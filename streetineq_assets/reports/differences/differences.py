"""All that differs between two sides, in one value that text and HTML tell."""

from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from streetineq_assets import tables
from streetineq_assets.area_vintages import VINTAGES
from streetineq_assets.errors import StreetineqError
from streetineq_assets.reports.differences.causes import Causes, compare_provenances
from streetineq_assets.reports.differences.compare import (
    MOVED,
    PairDifference,
    compare_pairs,
    most_moved_first,
)
from streetineq_assets.reports.differences.sides import Side
from streetineq_assets.reports.differences.tables import CHANGED_AREAS


@dataclass(frozen=True)
class Differences:
    """How two sides differ.

    Attributes:
        a, b: the sides.
        pairs: of every pair that has areas on both sides, by key.
        causes: what their provenances record otherwise.
    """

    a: Side
    b: Side
    pairs: tuple[PairDifference, ...]
    causes: Causes

    @cached_property
    def only_a(self) -> tuple[str, ...]:
        """Keys of the pairs that have areas in A alone."""
        return tuple(sorted(self.a.pairs - self.b.pairs))

    @cached_property
    def only_b(self) -> tuple[str, ...]:
        """Keys of the pairs that have areas in B alone."""
        return tuple(sorted(self.b.pairs - self.a.pairs))

    @cached_property
    def changed(self) -> tuple[PairDifference, ...]:
        """The pairs of both sides in which anything differs."""
        return tuple(pair for pair in self.pairs if pair.differs)

    @property
    def any(self) -> bool:
        """Whether anything differs at all."""
        return bool(self.only_a or self.only_b or self.changed) or self.causes.differs

    @property
    def areas(self) -> pd.DataFrame:
        """`tables.CHANGED_AREAS` of all pairs of both sides."""
        found = [pair.areas for pair in self.pairs if len(pair.areas)]
        return pd.concat(found, ignore_index=True) if found else tables.empty(CHANGED_AREAS)

    @cached_property
    def moved(self) -> pd.DataFrame:
        """The areas of all pairs that moved, in the order of `PairDifference.areas`."""
        return most_moved_first(self.areas[self.areas["verdict"].isin(MOVED)])

    def is_unexplained(self, pair: PairDifference) -> bool:
        """Whether areas differ though both sides record the same predictions.

        Then the tables of one side are not those that its provenance is of.
        """
        chain = self.causes.chain_of(pair.pair)
        if chain is None or "lsoa_predictions" not in (*chain.before, *chain.again):
            return False
        return len(pair.areas) + pair.n_scores + pair.n_intervals > 0


def compare(a: Side, b: Side) -> Differences:
    """How two sides differ, of whichever kinds they are.

    Raises:
        StreetineqError: their areas are of two vintages, which share codes and not places.
    """
    first, second = (VINTAGES[side.provenance.area_vintage] for side in (a, b))
    if first != second:
        raise StreetineqError(
            f"A ({a.title}) is of the {first} and B ({b.title}) of the {second}: most of their "
            "codes are the same, and the areas are not: compare studies of one vintage"
        )
    return Differences(
        a=a,
        b=b,
        pairs=tuple(compare_pairs((a.areas, b.areas), (a.metrics, b.metrics))),
        causes=compare_provenances(a.provenance, b.provenance),
    )
