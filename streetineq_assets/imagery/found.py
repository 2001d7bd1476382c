"""What providers list, in one form: the schema of found captures, and how values come into it.

Providers write angles as texts, directions of 720 degrees, times in milliseconds or in words, and
positions off the globe. A value that means nothing is null; a capture without a position, or of a
projection that no view can be made of, is kept with the reason, so that it is counted.
"""

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from streetineq_assets.images.rights import find_terms
from streetineq_assets.images.tables import CAPTURES
from streetineq_assets.tables import column, conform, empty, schema

_LONGEST = 200
_IDENTIFIER = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}")
NO_POSITION, UNUSABLE_PROJECTION = "no_position", "unusable_projection"
_RAW = "by the camera's own receiver, where the position is corrected"
FOUND = schema(
    *CAPTURES,
    column("width_px", "int64", "of the original picture", unit="pixels", nullable=True),
    column("height_px", "int64", "of the original picture", unit="pixels", nullable=True),
    column("raw_lat", "float64", f"latitude {_RAW}", unit="degrees", nullable=True),
    column("raw_lon", "float64", f"longitude {_RAW}", unit="degrees", nullable=True),
    column(
        "reason",
        "string",
        f"why it is of no use: {NO_POSITION} or {UNUSABLE_PROJECTION}",
        nullable=True,
    ),
)


def found_frame(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Captures as a frame of the schema `FOUND`; a key that a row lacks is null.

    Args:
        rows: with `capture_id` and `projection` (empty: one of which no view can be made) at least.
    """
    frame = pd.DataFrame(list(rows))
    if frame.empty:
        return empty(FOUND)
    frame = frame.reindex(columns=FOUND.names)
    nowhere = frame["lat"].isna() | frame["lon"].isna()
    reasons = [
        NO_POSITION if missing else UNUSABLE_PROJECTION if not projection else None
        for missing, projection in zip(nowhere, frame["projection"], strict=True)
    ]
    return conform(frame.assign(reason=reasons), FOUND)


def number(value: object) -> float | None:
    """A finite number, also one that is written as text; else None."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        converted = float(value)
    except ValueError:
        return None
    return converted if math.isfinite(converted) else None


def whole(value: object) -> int | None:
    """A positive whole number; else None."""
    converted = number(value)
    return int(converted) if converted is not None and converted >= 1 else None


def compass(value: object) -> float | None:
    """A direction in [0, 360) degrees; None for what is none, such as 720 for unknown."""
    degrees = number(value)
    if degrees is None or not -360 <= degrees < 720:
        return None
    turned = degrees % 360
    return 0.0 if turned >= 360 else turned  # -1e-20 % 360 is 360


def tilt(value: object) -> float | None:
    """A pitch or roll in (-180, 180] degrees; 350 is -10."""
    degrees = compass(value)
    return degrees if degrees is None or degrees <= 180 else degrees - 360


def position(lat: object, lon: object) -> tuple[float | None, float | None]:
    """Latitude and longitude on the globe; else None twice."""
    north, east = number(lat), number(lon)
    if north is None or east is None or abs(north) > 90 or abs(east) > 180:
        return None, None
    return north, east


def point(geometry: object) -> tuple[float | None, float | None]:
    """Latitude and longitude of a GeoJSON point; else None twice."""
    coordinates = geometry.get("coordinates") if isinstance(geometry, Mapping) else None
    if not isinstance(coordinates, list) or len(coordinates) < 2:
        return None, None
    return position(coordinates[1], coordinates[0])


def moment(value: object) -> pd.Timestamp | None:
    """A time in UTC without its zone, of milliseconds since 1970 or of ISO 8601; else None.

    A text without a zone is taken for UTC.
    """
    milliseconds = number(value)
    try:
        if milliseconds is not None:
            stamp = pd.to_datetime(int(milliseconds), unit="ms", utc=True)
        elif isinstance(value, str) and value:
            stamp = pd.to_datetime(value, utc=True, format="ISO8601")
        else:
            return None
    except (ValueError, OverflowError):
        return None
    return None if stamp is pd.NaT else stamp.tz_localize(None)


def licence(written: object) -> str | None:
    """A licence's SPDX identifier if it is known, else as it is written."""
    name = text(written)
    terms = find_terms("licence", name)
    return terms.name if terms else name


def text(value: object) -> str | None:
    """A name on one line, of 200 characters at most; None for what is none."""
    if not isinstance(value, str | int) or isinstance(value, bool):
        return None
    return " ".join(str(value).split())[:_LONGEST] or None


def address(value: object) -> str | None:
    """A web address; None for what is none."""
    return value if isinstance(value, str) and value.startswith(("https://", "http://")) else None


def identifier(value: object) -> str | None:
    """An id that can be part of a file's name; None for what is none."""
    name = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    return name if _IDENTIFIER.fullmatch(name) else None
