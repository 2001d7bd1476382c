"""The list of a city's locations, `inputs/locations/<city>.csv`: read and checked line by line."""

import contextlib
import datetime as dt
import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pandas as pd

from streetineq_assets.errors import SourceError
from streetineq_assets.findings import Unavailable
from streetineq_assets.images.tables import LOCATION_LIST
from streetineq_assets.spreadsheets.columns import Columns, find_column, normalise, read_columns
from streetineq_assets.spreadsheets.sheets import read_sheets
from streetineq_assets.store import DataStore
from streetineq_assets.tables import conform, empty

_REQUIRED = ("location_id", "postcode")
_OPTIONAL = ("lat", "lon", "captured_at", "provider", "licence")
_DATE = re.compile(r"(\d{4}-\d{2})(-\d{2})?([T ].*)?")


def location_list_file(store: DataStore, city: str) -> Path:
    """The file that lists a city's locations; a city without one is unavailable."""
    return store.inputs("locations", f"{city}.csv")


def none_listed(file: Path) -> Unavailable:
    """Why a city has no locations."""
    return Unavailable(str(file), "the city has no list of locations, or an empty one")


def read_location_list(path: Path) -> pd.DataFrame:
    """The rows of a list of locations.

    A CSV with the columns `location_id, postcode` and optionally `lat, lon` (WGS84 degrees),
    `captured_at` (`2016-07-21`, `2016-07` or a time stamp), `provider` and `licence`. A location
    that serves several postcodes has a row for each.

    Returns:
        A frame of the schema `LOCATION_LIST`, without rows where there is no file.

    Raises:
        SourceError: a column is missing, an id is empty or cannot be part of a file name, a cell is
            wrong, or `lat` and `lon` do not come together.
    """
    if not path.is_file():
        return empty(LOCATION_LIST)
    sheet = read_sheets(path)[0]
    header = sheet.head[0] if sheet.head else (1, [])
    present = {normalise(cell) for cell in header[1]}
    positions = {
        name: find_column(sheet, header, [name], table="a list of locations")
        for name in (*_REQUIRED, *(name for name in _OPTIONAL if name in present))
    }
    columns = read_columns(sheet, header, positions.values())
    frame: dict[str, Sequence] = {"line": columns.lines}
    for name in (*_REQUIRED, *_OPTIONAL):
        frame[name] = [None] * len(columns.lines)
        if name in positions:
            frame[name] = _parsed(columns, positions[name], _PARSERS.get(name, _text))
    rows = conform(pd.DataFrame(frame), LOCATION_LIST)
    halves = rows["lat"].isna() != rows["lon"].isna()
    if halves.any():
        raise SourceError(
            f"{sheet.at(int(rows.loc[halves, 'line'].iloc[0]))}: lat without lon, or lon without "
            "lat: give both or neither"
        )
    return rows


def one_row_each(rows: pd.DataFrame, path: Path) -> pd.DataFrame:
    """What the rows of each location agree on: `location_id` and the optional columns.

    Raises:
        SourceError: two rows of one location contradict each other.
    """
    described = rows[["location_id", *_OPTIONAL]].drop_duplicates()
    twice = described.index[described["location_id"].duplicated()]
    if len(twice):
        other = rows.loc[twice[0]]
        first = rows[rows["location_id"] == other["location_id"]].iloc[0]
        differing = [
            name
            for name in _OPTIONAL
            if first[name] != other[name] and not (pd.isna(first[name]) and pd.isna(other[name]))
        ]
        raise SourceError(
            f"{path}, lines {first['line']} and {other['line']}: location {other['location_id']} "
            f"has two values of {', '.join(differing)}: a location is one place and one moment"
        )
    return described


# -- cells ---------------------------------------------------------------------------------------


def _parsed(columns: Columns, position: int, parse: Callable[[str], object]) -> list:
    """A column's values, None where the cell is empty; `parse` raises ValueError with a reason."""
    values = []
    for row, text in enumerate(columns.texts[position].to_pylist()):
        try:
            values.append(parse(text))
        except ValueError as error:
            raise SourceError(f"{columns.at(row, position)}: {text!r} {error}") from error
    return values


def _text(text: str) -> str | None:
    return text or None


def _id(text: str) -> str:
    if not text or {"/", "\\"} & set(text):
        raise ValueError("is no id: it names image files, so it is not empty and has no slash")
    return text


def _degrees(text: str, low: float, high: float) -> float | None:
    if not text:
        return None
    if not re.fullmatch(r"-?[0-9]{1,3}(\.[0-9]+)?", text) or not low <= float(text) <= high:
        raise ValueError(
            f"is not a number of degrees in the United Kingdom, {low:g} to {high:g}: are lat and "
            "lon in each other's place?"
        )
    return float(text)


def _day(text: str) -> dt.date | None:
    if not text:
        return None
    match = _DATE.fullmatch(text)
    if match:
        with contextlib.suppress(ValueError):
            return dt.date.fromisoformat(match.group(1) + (match.group(2) or "-01"))
    raise ValueError("is not a date such as 2016-07-21 or 2016-07")


_PARSERS: dict[str, Callable[[str], object]] = {
    "location_id": _id,
    "postcode": str,  # an empty one is an unknown one
    "lat": partial(_degrees, low=49, high=61.5),
    "lon": partial(_degrees, low=-9, high=2.5),
    "captured_at": _day,
}
