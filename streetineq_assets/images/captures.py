"""The list of a city's captures, `inputs/captures/<city>.csv`: read and checked line by line.

A capture is a panorama or a photograph whose direction is known: where it was taken, which way its
middle looks, and how the file of its picture is called. A direction that a device does not know is
no mistake of the list, though devices write it as 720 or -1000: such a capture stays, without one.
"""

import contextlib
import datetime as dt
import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path

import pandas as pd

from streetineq_assets.errors import SourceError
from streetineq_assets.images.city_lists import (
    file_of_city,
    find_columns,
    header_of,
    parsed,
    refuse_halves,
    refuse_separator,
    refuse_spoilt_ids,
)
from streetineq_assets.images.headings import NO_COMPASS
from streetineq_assets.images.location_cells import (
    LATITUDES,
    LONGITUDES,
    day_reader,
    degrees,
    number,
    text_or_none,
)
from streetineq_assets.images.location_ids import checked_id
from streetineq_assets.images.tables import CAPTURE_LIST, EQUIRECTANGULAR, PERSPECTIVE
from streetineq_assets.spreadsheets.columns import read_columns
from streetineq_assets.spreadsheets.sheets import Sheet, read_sheets
from streetineq_assets.store import DataStore
from streetineq_assets.tables import conform, empty

OUT_OF_RANGE = "compass_out_of_range"

# Our names, and the headings that mean them.
_ID = {"capture_id": ("capture_id", "capture id", "image_id")}
_REQUIRED = _ID | {
    "compass_deg": (
        "compass_deg",
        "compass",
        "compass_angle",
        "computed_compass_angle",
        "heading",
        "heading_deg",
        "bearing",
        "azimuth",
        "direction",
    ),
    "projection": ("projection", "projection_type", "camera_type"),
}
_OPTIONAL = {
    "location_id": ("location_id", "location id"),
    "lat": ("lat", "latitude"),
    "lon": ("lon", "long", "lng", "longitude"),
    "pitch_deg": ("pitch_deg", "pitch"),
    "roll_deg": ("roll_deg", "roll"),
    "second_compass_deg": ("second_compass_deg", "second_compass", "track_deg", "track", "course"),
    "captured_at": ("captured_at", "captured at"),
    "provider": ("provider",),
    "licence": ("licence", "license"),
    "creator": ("creator", "photographer", "artist"),
}
_PROJECTIONS = {
    **dict.fromkeys(("equirectangular", "spherical", "panorama", "pano"), EQUIRECTANGULAR),
    **dict.fromkeys(("perspective", "flat", "photo", "photograph"), PERSPECTIVE),
}
_MOMENT = re.compile(
    r"([0-9]{4})[-:/]([0-9]{2})[-:/]([0-9]{2})[T ]([0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?)"
    r" ?(Z|UTC|GMT|[+-][0-9]{2}:?[0-9]{2})?"
)
_MILLISECONDS = re.compile(r"1[0-9]{12}")  # since 1970, as providers count


def captures_file(store: DataStore, city: str) -> Path:
    """The file that lists a city's captures; most cities have none.

    Raises:
        SourceError: there is none, but a file that seems to be meant for it.
    """
    return file_of_city(store.inputs("captures"), city)


def read_captures(path: Path) -> pd.DataFrame:
    """The captures of a list, one for each row.

    A CSV with the columns `capture_id` (the file of the picture without its ending), `compass_deg`
    (0 to 360, clockwise from true north; -90 is 270, and 360 is 0), `projection`, and
    `location_id`, or `lat, lon`, or all of these; optionally `pitch_deg, roll_deg,
    second_compass_deg, captured_at` (a day, or a time, UTC where it names no offset), `provider,
    licence, creator`.

    Returns:
        A frame of the schema `CAPTURE_LIST`, in the order of the list: the columns of `CAPTURES`,
        and `compass_problem`, why `compass_deg` is null: `no_compass` (the cell is empty),
        `compass_out_of_range` (a number beyond -360 to 360). Without rows where there is no file.

    Raises:
        SourceError: a column is missing, a cell is wrong, an id is spoilt, cannot be part of a
            file's name or occurs twice, or a capture has neither a location nor a position.
    """
    if not path.is_file():
        return empty(CAPTURE_LIST)
    sheet = read_sheets(path)[0]
    refuse_separator(sheet, _ID["capture_id"])
    at = find_columns(sheet, _REQUIRED | _OPTIONAL, _REQUIRED, table="a list of captures")
    columns = read_columns(sheet, header_of(sheet), at.values())
    frame: dict[str, Iterable] = {"line": columns.lines}
    for name in (*_REQUIRED, *_OPTIONAL):
        frame[name] = [None] * len(columns.lines)
        if name in at:
            texts = columns.texts[at[name]].to_pylist()
            parse = _moment_reader(texts) if name == "captured_at" else _PARSERS[name]
            frame[name] = parsed(columns, at[name], parse)
    compass = zip(columns.texts[at["compass_deg"]].to_pylist(), frame["compass_deg"], strict=True)
    frame["compass_problem"] = [_problem(*each) for each in compass]
    rows = pd.DataFrame(frame)
    _refuse(sheet, rows)
    return conform(rows, CAPTURE_LIST)


def _refuse(sheet: Sheet, rows: pd.DataFrame) -> None:
    """What only several cells together show."""
    refuse_halves(sheet, rows)
    homeless = rows["location_id"].isna() & rows["lat"].isna()
    if homeless.any():
        raise SourceError(
            f"{sheet.at(int(rows.loc[homeless, 'line'].iloc[0]))}: neither location_id nor lat and "
            "lon: say which location the capture shows, or where it was taken, or remove the line"
        )
    refuse_spoilt_ids(sheet, rows["capture_id"], rows["line"], what="captures")
    twice = rows["capture_id"].duplicated()
    if twice.any():
        other = rows.loc[twice].iloc[0]
        first = rows.loc[rows["capture_id"] == other["capture_id"], "line"].iloc[0]
        raise SourceError(
            f"{sheet.at()}, lines {first} and {other['line']}: capture {other['capture_id']} is "
            "listed twice: remove one of the lines"
        )


# -- cells -----------------------------------------------------------------------------------------


def _compass(text: str) -> float | None:
    """Degrees from 0 to below 360; None where there is none, or it cannot be a direction.

    Raises:
        ValueError: it is no number.
    """
    value = None if text_or_none(text) is None else _degrees_of_any(text)
    return None if value is None or abs(value) > 360 else value % 360.0


def _problem(text: str, degrees: float | None) -> str | None:
    """Why a cell that was read is no direction."""
    if degrees is not None:
        return None
    return NO_COMPASS if text_or_none(text) is None else OUT_OF_RANGE


def _degrees_of_any(text: str) -> float:
    value = number(text)
    if value is None:
        raise ValueError(
            "is not a number of degrees: write 0 to 360, clockwise from true north, or leave the "
            "cell empty"
        )
    return value


def _tilt(text: str, most: float) -> float | None:
    if text_or_none(text) is None:
        return None
    value = _degrees_of_any(text)
    if abs(value) > most:
        raise ValueError(
            f"is not from -{most:g} to {most:g} degrees: correct it, or leave it empty"
        )
    return value


def _projection(text: str) -> str:
    known = _PROJECTIONS.get(text.lower())
    if known is None:
        raise ValueError(
            f"is no projection that is read here: write {EQUIRECTANGULAR} for a panorama of the "
            f"whole sphere, {PERSPECTIVE} for a photograph"
        )
    return known


def _id_or_none(text: str) -> str | None:
    return None if text_or_none(text) is None else checked_id(text)


def _moment_reader(texts: Iterable[str]) -> Callable[[str], dt.datetime | dt.date | None]:
    """A reader of one column's times, UTC; of a day its beginning.

    Args:
        texts: the cells of the column.
    """
    read_day = day_reader(texts)

    def read(text: str) -> dt.datetime | dt.date | None:
        return moment(text) or read_day(text)

    return read


def moment(text: str) -> dt.datetime | None:
    """A date with a time of day, or milliseconds since 1970, in UTC; None for any other text.

    Args:
        text: `2016-07-21T10:11:12+01:00` or as EXIF writes it, `2016:07:21 10:11:12`; without an
            offset it is UTC.
    """
    with contextlib.suppress(ValueError, OverflowError):
        if match := _MOMENT.fullmatch(text):
            year, month, day, time, offset = match.groups()
            zone = "+00:00" if offset in (None, "Z", "UTC", "GMT") else offset
            stamp = dt.datetime.fromisoformat(f"{year}-{month}-{day}T{time}{zone}")
            return stamp.astimezone(dt.UTC).replace(tzinfo=None)
        if _MILLISECONDS.fullmatch(text):
            return dt.datetime.fromtimestamp(int(text) / 1000, dt.UTC).replace(tzinfo=None)
    return None


_PARSERS: Mapping[str, Callable[[str], object]] = {
    "capture_id": checked_id,
    "compass_deg": _compass,
    "projection": _projection,
    "location_id": _id_or_none,
    "lat": partial(degrees, low=LATITUDES[0], high=LATITUDES[1]),
    "lon": partial(degrees, low=LONGITUDES[0], high=LONGITUDES[1]),
    "pitch_deg": partial(_tilt, most=90),
    "roll_deg": partial(_tilt, most=180),
    "second_compass_deg": _compass,
    "provider": text_or_none,
    "licence": text_or_none,
    "creator": text_or_none,
}
