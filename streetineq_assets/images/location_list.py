"""The list of a city's locations, `inputs/locations/<city>.csv`: read and checked line by line."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import pandas as pd

from streetineq_assets.errors import SourceError
from streetineq_assets.findings import Unavailable
from streetineq_assets.images.city_lists import (
    file_of_city,
    find_columns,
    header_of,
    parsed,
    refuse_halves,
    refuse_separator,
    refuse_spoilt_ids,
)
from streetineq_assets.images.files import planned_locations
from streetineq_assets.images.location_cells import (
    LATITUDES,
    LONGITUDES,
    day_reader,
    degrees,
    postcodes,
    text_or_none,
)
from streetineq_assets.images.location_ids import checked_id
from streetineq_assets.images.tables import LOCATION_LIST
from streetineq_assets.spreadsheets.columns import normalise, read_columns
from streetineq_assets.spreadsheets.sheets import Row, Sheet, read_sheets
from streetineq_assets.store import DataStore
from streetineq_assets.tables import conform, empty

# Our names, and the headings that mean them.
_ID = {"location_id": ("location_id", "location id")}
_POSTCODE = {"postcode": ("postcode",)}
_POSITION = {
    "lat": ("lat", "latitude"),
    "lon": ("lon", "long", "lng", "longitude"),
}
_DESCRIBED = _POSITION | {
    "captured_at": ("captured_at", "captured at"),
    "provider": ("provider",),
    "licence": ("licence", "license"),
    "creator": ("creator", "photographer"),
}
# Nobody needs these; where they stand beside a postcode, the two are compared.
_STATED = {"stated_lsoa": ("area", "lsoa11", "lsoa11cd"), "stated_city": ("city",)}
_FURTHER_POSTCODE = re.compile(r"postcode[ _-]?[0-9]+")


def location_list_file(store: DataStore, city: str) -> Path:
    """The file that lists a city's locations; a city without one is unavailable.

    It is the study's own, else that of the plan by which images are acquired.

    Raises:
        SourceError: there is none, but a file that seems to be meant for it.
    """
    path = file_of_city(store.inputs("locations"), city)
    return path if path.is_file() else planned_locations(store, city) or path


def none_listed(file: Path) -> Unavailable:
    """Why a city has no locations."""
    return Unavailable(str(file), "the city has no list of locations, or an empty one")


def read_location_list(path: Path) -> pd.DataFrame:
    """The rows of a list of locations, one for each location and postcode.

    A CSV with the columns `location_id`, and `postcode` or `lat, lon` (WGS84 degrees) or all of
    these, and optionally `captured_at` (`2016-07-21`, `2016-07` or a time stamp), `provider`,
    `licence`, `creator`, `area` and `city`. A location that serves several postcodes has a row
    for each, or all in one cell. An empty cell, or a program's word for nothing, is null.

    Returns:
        A frame of the schema `LOCATION_LIST`, without rows where there is no file.

    Raises:
        SourceError: a column is missing, an id is spoilt or cannot be part of a file name, two ids
            are the same but for their form, a cell is wrong, or `lat` and `lon` do not come
            together.
    """
    if not path.is_file():
        return empty(LOCATION_LIST)
    sheet = read_sheets(path)[0]
    header = header_of(sheet)
    refuse_separator(sheet, _ID["location_id"])
    _refuse_more_postcodes(sheet, header)
    positions = _positions(sheet, header)
    columns = read_columns(sheet, header, positions.values())
    frame: dict[str, Sequence] = {"line": columns.lines}
    for name in _headings():
        frame[name] = [None] * len(columns.lines)
        if name in positions:
            texts = columns.texts[positions[name]].to_pylist()
            parse = day_reader(texts) if name == "captured_at" else _PARSERS[name]
            frame[name] = parsed(columns, positions[name], parse)
    rows = conform(pd.DataFrame(frame).explode("postcode", ignore_index=True), LOCATION_LIST)
    refuse_halves(sheet, rows)
    refuse_spoilt_ids(sheet, rows["location_id"], rows["line"], what="locations")
    return rows


def stated_terms(rows: pd.DataFrame) -> pd.DataFrame:
    """`provider, licence` of each location; null where a list does not state them.

    Args:
        rows: of the schema `LOCATION_LIST`.
    """
    return rows.groupby("location_id")[["provider", "licence"]].first().reset_index(drop=True)


def columns_not_read(path: Path) -> list[str]:
    """The headings of a list that mean nothing here; none where there is no file.

    Raises:
        SourceError: as `read_location_list`, of the file's form.
    """
    sheet = read_sheets(path)[0] if path.is_file() else None
    known = {heading for headings in _headings().values() for heading in headings}
    cells = sheet.head[0][1] if sheet and sheet.head else []
    return [cell.strip() for cell in cells if cell.strip() and normalise(cell) not in known]


def one_row_each(rows: pd.DataFrame, path: Path) -> pd.DataFrame:
    """What the rows of each location agree on: `location_id` and the optional columns.

    Raises:
        SourceError: two rows of one location contradict each other.
    """
    described = rows[["location_id", *_DESCRIBED]].drop_duplicates()
    twice = described.index[described["location_id"].duplicated()]
    if len(twice):
        other = rows.loc[twice[0]]
        first = rows[rows["location_id"] == other["location_id"]].iloc[0]
        differing = [
            name
            for name in _DESCRIBED
            if first[name] != other[name] and not (pd.isna(first[name]) and pd.isna(other[name]))
        ]
        raise SourceError(
            f"{path}, lines {first['line']} and {other['line']}: location {other['location_id']} "
            f"has two values of {', '.join(differing)}: a location is one place and one moment"
        )
    return described


# -- the head --------------------------------------------------------------------------------------


def _headings() -> dict[str, tuple[str, ...]]:
    return _ID | _POSTCODE | _DESCRIBED | _STATED


def _positions(sheet: Sheet, header: Row) -> Mapping[str, int]:
    """Our name to the position of its column, for the columns that are there.

    Raises:
        SourceError: a required one is missing, or there are two of one.
    """
    cells = {normalise(cell) for cell in header[1]}
    present = [name for name, headings in _headings().items() if cells & set(headings)]
    table, required = "a list of locations", [*_ID]
    if not {*_POSTCODE, *_POSITION} & {*present}:
        table += " without lat and lon (WGS84 degrees, not eastings and northings)"
        required += _POSTCODE
    elif "postcode" not in present:
        table += " without postcodes"
        required += _POSITION
    return find_columns(sheet, _headings(), required, table=table)


def _refuse_more_postcodes(sheet: Sheet, header: Row) -> None:
    """Postcodes in columns beside the first would be left out without a word."""
    for cell in header[1]:
        if _FURTHER_POSTCODE.fullmatch(normalise(cell)):
            raise SourceError(
                f"{sheet.at(header[0])}: {cell!r} is a second column of postcodes: a location that "
                "serves several has a row for each, or all of them in one cell"
            )


# -- rows ------------------------------------------------------------------------------------------


def _postcodes_or_none(text: str) -> list[str] | list[None]:
    """The postcodes in a cell; one None where it is empty, so that its row stays."""
    return [None] if text_or_none(text) is None else postcodes(text)


_PARSERS: dict[str, Callable[[str], object]] = {
    "location_id": checked_id,
    "postcode": _postcodes_or_none,
    "lat": partial(degrees, low=LATITUDES[0], high=LATITUDES[1]),
    "lon": partial(degrees, low=LONGITUDES[0], high=LONGITUDES[1]),
    "provider": text_or_none,
    "licence": text_or_none,
    "creator": text_or_none,
    "stated_lsoa": text_or_none,
    "stated_city": text_or_none,
}
