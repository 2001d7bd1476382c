"""Lists of captures, and cities of which they show the views, for tests."""

import datetime as dt

import pandas as pd

from streetineq_assets.image_settings import Views
from streetineq_assets.images.capture_listing import list_city
from streetineq_assets.images.tables import CAPTURE_LIST, LOCATION_LIST
from streetineq_assets.tables import conform

LAT, LON = 51.5, -0.1
METRES = 111_000.0  # in a degree of latitude, about
NOON = dt.datetime(2024, 6, 1, 12, tzinfo=dt.UTC)
ROUND = (0, 90, 180, 270)


def capture(capture_id, compass, *, of=None, north_m=0.0, day=0, panorama=False, **more):
    """One capture; `north_m` None: without a position, `day` None: without a time."""
    time = None if day is None else NOON.replace(tzinfo=None) + dt.timedelta(days=day)
    return {
        "capture_id": capture_id,
        "location_id": of,
        "lat": None if north_m is None else LAT + north_m / METRES,
        "lon": None if north_m is None else LON,
        "projection": "equirectangular" if panorama else "perspective",
        "compass_deg": compass,
        "captured_at": time,
        "compass_problem": "no_compass" if compass is None else None,
        **more,
    }


def four(prefix, *, turned=0.0, **given):
    """Photographs along the four headings."""
    return [capture(f"{prefix}{h}", (h + turned) % 360, **given) for h in ROUND]


def captures_of(rows):
    """A frame of `CAPTURE_LIST`."""
    frame = pd.DataFrame(rows, columns=CAPTURE_LIST.names).astype(object)
    return conform(frame.where(frame.notna(), None), CAPTURE_LIST)


def place(location_id, north_m=0.0, **more):
    """A row of a list of locations; `north_m` None: without a position."""
    position = (None, None) if north_m is None else (LAT + north_m / METRES, LON)
    return {"location_id": location_id, "lat": position[0], "lon": position[1], **more}


def places_of(rows):
    """A frame of `LOCATION_LIST`."""
    frame = pd.DataFrame(rows, columns=LOCATION_LIST.names).assign(line=range(len(rows)))
    return conform(frame.astype(object).where(frame.notna(), None), LOCATION_LIST)


def listing(root, places, captures, **views):
    """A city of these locations and captures, and of the files below a folder."""
    return list_city(
        root,
        places_of(places),
        captures_of(captures),
        Views(**views),
        now=NOON + dt.timedelta(days=2),
        city="leeds",
        buckets=4,
    )


def texts(column):
    """A column's values, None for what is missing."""
    return [None if pd.isna(each) else each for each in column]
