"""Of which location, and of which view of it, each row of a file of codes is.

Ids stand in the file itself, or in a table beside it, in the same order.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from streetineq_assets.errors import SourceError
from streetineq_assets.images.catalogue import HEADINGS, VIEWS
from streetineq_assets.images.city_lists import (
    find_columns,
    header_of,
    parsed,
    refuse_separator,
    refuse_spoilt_ids,
)
from streetineq_assets.images.location_ids import checked_id
from streetineq_assets.spreadsheets.columns import read_columns
from streetineq_assets.spreadsheets.sheets import read_sheets

LOCATION, VIEW = "location_id", "view"
# Our names, and the headings that mean them; `img_id` is the original's.
_ID = {LOCATION: ("location_id", "location id", "img_id")}
_VIEW = {VIEW: ("view", "heading")}
_KNOWN_VIEWS = ", ".join(VIEWS) + " or the headings " + ", ".join(map(str, HEADINGS.values()))
_NUMBER_OF = {name: number for number, name in enumerate(VIEWS)} | {
    str(degrees): VIEWS.index(name) for name, degrees in HEADINGS.items()
}


@dataclass(frozen=True)
class RowNames:
    """What the rows of a file are of.

    Attributes:
        location_ids: (n,) text.
        views: (n,) number of the view, from 0; None where a row is all that there is of a location.
    """

    location_ids: pd.Series
    views: NDArray[np.intp] | None = None

    @classmethod
    def of(cls, location_ids: pd.Series, views: pd.Series | None, where: str) -> "RowNames":
        """The names in a file's own columns.

        Args:
            location_ids, views: (n,) as they stand there.
            where: the file in words.

        Raises:
            SourceError: a value is no id, or no view.
        """
        ids = _ids(location_ids, where)
        if views is None:
            return cls(ids)
        return cls(ids, _each(views, view_number, f"{where}, {VIEW}").to_numpy(np.intp))


def view_number(value: object) -> int:
    """The number of a view, from 0: of its letter, or of its heading in degrees.

    Raises:
        ValueError: it is neither; the message is the rest of a sentence that begins with the value.
    """
    text = str(value).strip().lower().removesuffix(".0")
    if text not in _NUMBER_OF:
        raise ValueError(f"is no view: expected are {_KNOWN_VIEWS}")
    return _NUMBER_OF[text]


def read_id_table(path: Path) -> RowNames:
    """The ids in a table beside a file of codes, and the views where it names them.

    Raises:
        SourceError: there is no column of ids, an id is spoilt, or a view is unknown.
    """
    sheet = read_sheets(path)[0]
    refuse_separator(sheet, _ID[LOCATION])
    positions = find_columns(sheet, _ID | _VIEW, [*_ID], table="a table of ids")
    columns = read_columns(sheet, header_of(sheet), positions.values())
    ids = pd.Series(parsed(columns, positions[LOCATION], checked_id), dtype="str")
    refuse_spoilt_ids(sheet, ids, pd.Series(columns.lines), what="locations")
    if VIEW not in positions:
        return RowNames(ids)
    return RowNames(ids, np.array(parsed(columns, positions[VIEW], view_number), np.intp))


def refuse_disagreement(path: Path, inside: RowNames, table: Path, beside: RowNames) -> None:
    """Refuse a table in another order than the file, or of other rows.

    Args:
        inside: what the file says itself.
        beside: what the table says.

    Raises:
        SourceError: naming the first row in which they differ.
    """
    mine, theirs = inside.location_ids.to_numpy(object), beside.location_ids.to_numpy(object)
    if len(mine) != len(theirs):
        raise SourceError(
            f"{table} has {len(theirs):,} ids, and {path} has {len(mine):,} in itself: remove the "
            "table, or bring the one that was written with the codes"
        )
    differ = mine != theirs
    if differ.any():
        row = int(differ.argmax())
        raise SourceError(
            f"{table} is in another order than {path}: row {row + 1} is {theirs[row]!r} there and "
            f"{mine[row]!r} in the file itself: remove the table, or bring the one that was "
            "written with the codes"
        )


def _ids(values: pd.Series, where: str) -> pd.Series:
    """(n,) text: ids of locations."""
    if pd.api.types.is_float_dtype(values):
        raise SourceError(
            f"{where}, {LOCATION} holds floating-point numbers, in which long ids lose digits: "
            "write ids as text"
        )
    return _each(values.astype("str"), checked_id, f"{where}, {LOCATION}").astype("str")


def _each(values: pd.Series, parse: Callable[[str], object], where: str) -> pd.Series:
    """Values as they are read, each different one once.

    Raises:
        SourceError: one cannot be read; its first row is named.
    """
    known = {}
    for value in values.unique():
        try:
            known[value] = parse(value)
        except ValueError as error:
            row = int((values == value).to_numpy().argmax()) + 1
            raise SourceError(f"{where}, row {row}: {str(value)!r} {error}") from error
    return values.map(known)
