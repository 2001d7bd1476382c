"""A recognised file, and what it holds: outcomes' values by area.

What belongs here: what all formats share, among it the share of two counts. What does not: any one
format (a module each), and deciles.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from streetineq_assets.area_vintages import LSOA11, AreaVintage
from streetineq_assets.errors import SourceError
from streetineq_assets.labels.published import Table
from streetineq_assets.labels.vintages import carry_counts_of_part, read_links
from streetineq_assets.spreadsheets.columns import Columns, find_column, normalise
from streetineq_assets.spreadsheets.sheets import Row, Sheet


@dataclass(frozen=True)
class OutcomeValues:
    """One outcome as one file gives it.

    Attributes:
        outcome: key in `outcomes.OUTCOMES`, or `outcomes.INDEX_OF_DEPRIVATION`.
        path: the file.
        frame: by area of the study (index `area`, text): `value` (float in the outcome's unit, NaN
            where missing), `national_rank` (Int32, NA where the source has none), `denominator`
            (float, persons or households; NaN where the value is no share) and `name` (the area's,
            text, empty or None where the source has none).
    """

    outcome: str
    path: Path
    frame: pd.DataFrame


@dataclass(frozen=True, kw_only=True)
class SourceFile(ABC):
    """A file that a format recognised from the first rows of a sheet, and that can read the rest.

    Attributes:
        sheet: the sheet that holds the table.
        header: its row of headings, as the format compares them.
        layout: the format in words, such as "Nomis query download".
        table: the published table; None for a file of a known layout that holds no outcome.
        edition: of the publication, such as "2015".
        outcomes: keys of the outcomes that it holds.
        vintage: of its areas.
        target: of the study's areas, to which a file on others is carried.
        lookup: ONS' lookup between the two vintages, which a file that is carried needs.
    """

    sheet: Sheet
    header: Row
    layout: str
    table: Table | None
    edition: str
    outcomes: tuple[str, ...]
    vintage: AreaVintage = LSOA11
    target: AreaVintage = LSOA11
    lookup: Path | None = None

    @property
    def path(self) -> Path:
        """The file."""
        return self.sheet.path

    @property
    def is_carried(self) -> bool:
        """Whether it is on other areas than the study."""
        return self.vintage != self.target

    def links(self) -> pd.DataFrame | None:
        """The lookup by which it is carried; None where it is on the study's areas.

        Raises:
            SourceError: there is none, or it is spoilt.
        """
        return read_links(self.lookup_file()) if self.is_carried else None

    def lookup_file(self) -> Path:
        """The lookup that a file on other areas needs.

        Raises:
            SourceError: there is none.
        """
        if self.lookup is None:
            raise SourceError(
                f"{self.path} cannot be carried to the {self.target} without a lookup"
            )
        return self.lookup

    @abstractmethod
    def positions(self) -> dict[str, tuple[int, ...]]:
        """Outcome to the positions of the columns that its values are made of.

        Raises:
            SourceError: a column is missing.
        """

    def headings(self) -> dict[str, list[str]]:
        """Outcome to the headings of these columns, as they stand in the file.

        Raises:
            SourceError: a column is missing.
        """
        return {key: [self.header[1][i] for i in at] for key, at in self.positions().items()}

    @abstractmethod
    def read(self) -> list[OutcomeValues]:
        """The values of all its outcomes, by area of the study.

        Raises:
            SourceError: a column is missing, a row or a cell is malformed, or the lookup lacks an
                area.
        """

    def column(self, *headings: str) -> int:
        """Position of the one column under any of these headings.

        Raises:
            SourceError: as `columns.find_column`.
        """
        return find_column(self.sheet, self.header, headings, table=str(self.table))

    def column_of_names(self, heading: str) -> int | None:
        """Position of the areas' names, under a heading that begins so; None without them."""
        start = normalise(heading)
        found = (i for i, cell in enumerate(self.header[1]) if normalise(cell).startswith(start))
        return next(found, None)


def outcome_values(
    outcome: str,
    path: Path,
    lsoas: pd.Index,
    value: np.ndarray,
    *,
    national_rank: np.ndarray | None = None,
    denominator: np.ndarray | None = None,
    names: pd.Series | None = None,
) -> OutcomeValues:
    """Values with all columns, three of which may be empty.

    Args:
        lsoas: (n,) codes of the areas.
        value, national_rank, denominator: (n,) float, NaN where missing.
        names: (n,) text, of the areas, for comparing files with each other.

    Raises:
        SourceError: every value is missing.
    """
    nothing = np.full(len(lsoas), np.nan)
    if np.isnan(value).all():
        raise SourceError(f"{path}: {outcome} is empty in every row: download the table again")
    rank = nothing if national_rank is None else national_rank
    frame = pd.DataFrame(
        {
            "value": value,
            "national_rank": pd.array(rank, dtype="Float64").astype("Int32"),
            "denominator": nothing if denominator is None else denominator,
            "name": None if names is None else names.array,
        },
        index=lsoas.rename("area"),
    )
    return OutcomeValues(outcome, path, frame)


def share_of_counts(
    columns: Columns,
    *,
    outcome: str,
    code: int,
    name: int | None,
    numerator: Sequence[int],
    denominator: int,
    links: pd.DataFrame | None = None,
    to: AreaVintage = LSOA11,
) -> OutcomeValues:
    """Counts added up and divided by their total; NaN where the total is zero.

    Where they are carried, both are, before they are divided. An area that was split goes to its
    parts in equal shares, so that each has the share of the whole.

    Args:
        columns: the table's columns; `code`, `name`, `numerator` and `denominator` are positions
            in it.
        links: of the lookup, where counts are carried to areas of the vintage `to`.

    Raises:
        SourceError: a cell is malformed, the parts exceed their total, or all are percentages.
    """
    lsoas = columns.lsoas(code)
    parts = np.sum([columns.counts(i) for i in numerator], axis=0)
    total = columns.counts(denominator)
    some = total[total > 0]
    if len(some) > 1 and (some == 100).all():
        raise SourceError(
            f'{columns.sheet.at()}: "{columns.headings[denominator]}" is 100 in every row, so that '
            "the cells are rounded percentages: download counts (on Nomis the measure Value)"
        )
    above = np.flatnonzero(parts > total)
    if above.size:
        i = above[0]
        named = ", ".join(f'"{columns.headings[k]}"' for k in (*numerator, denominator))
        raise SourceError(
            f"{columns.sheet.at(columns.lines[i])}: {parts[i]:g} of {total[i]:g} is a share above "
            f"1 (columns {named}): the file is damaged, download it again"
        )
    names = columns.names(name)
    if links is not None:
        counts = [
            carry_counts_of_part(pd.Series(x, index=lsoas), links, to) for x in (parts, total)
        ]
        lsoas, names = counts[0].index, None
        parts, total = (each.to_numpy() for each in counts)
    with np.errstate(invalid="ignore"):
        share = np.where(total > 0, parts / total, np.nan)
    return outcome_values(
        outcome,
        columns.sheet.path,
        lsoas,
        share,
        denominator=total,
        names=names,
    )
