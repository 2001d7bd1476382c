"""Values as providers write them come into one form, and what means nothing is null."""

import math

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streetineq_assets.imagery.found import (
    FOUND,
    address,
    compass,
    found_frame,
    licence,
    moment,
    number,
    point,
    position,
    text,
    tilt,
    whole,
)


@pytest.mark.parametrize(
    ("written", "degrees"),
    [
        (0, 0.0),
        (359.5, 359.5),
        (360, 0.0),
        (-90, 270.0),
        (-360, 0.0),
        (719, 359.0),
        ("123.5", 123.5),
        (-1e-20, 0.0),
        (720, None),
        (-361, None),
        (math.nan, None),
        (math.inf, None),
        ("north", None),
        ("", None),
        (None, None),
        (True, None),
        ([90], None),
    ],
)
def test_directions_are_of_one_turn_or_none(written, degrees):
    assert compass(written) == degrees


@given(st.one_of(st.floats(), st.integers(), st.text(max_size=5), st.none()))
def test_no_direction_leaves_the_circle(written):
    degrees = compass(written)
    assert degrees is None or 0 <= degrees < 360


def test_tilts_have_a_sign():
    assert [tilt(v) for v in (350, -10, 10, 180, -180, "x")] == [-10, -10, 10, 180, 180, None]


@pytest.mark.parametrize(
    ("written", "place"),
    [
        ((51.5, -0.1), (51.5, -0.1)),
        (("51.5", "-0.1"), (51.5, -0.1)),
        ((90.5, 0), (None, None)),
        ((0, 181), (None, None)),
        ((math.nan, 0), (None, None)),
        ((None, 0), (None, None)),
    ],
)
def test_positions_are_on_the_globe_or_none(written, place):
    assert position(*written) == place


def test_points_are_of_geojson():
    assert point({"type": "Point", "coordinates": [-0.1, 51.5]}) == (51.5, -0.1)
    for other in (None, {}, {"coordinates": None}, {"coordinates": [1]}, {"coordinates": "ab"}):
        assert point(other) == (None, None)


@pytest.mark.parametrize(
    ("written", "utc"),
    [
        (1_465_000_000_000, "2016-06-04 00:26:40"),
        ("1465000000000", "2016-06-04 00:26:40"),
        ("2016-06-04T02:26:40+02:00", "2016-06-04 00:26:40"),
        ("2016-06-04T00:26:40.000Z", "2016-06-04 00:26:40"),
        ("2016-06-04 00:26:40", "2016-06-04 00:26:40"),
        ("2016-06", "2016-06-01"),
    ],
)
def test_times_are_in_utc(written, utc):
    assert moment(written) == pd.Timestamp(utc)


@pytest.mark.parametrize("written", [None, "", "yesterday", "2016-13-01", 10**30, "NaT", [1]])
def test_what_is_no_time_is_none(written):
    assert moment(written) is None


def test_time_in_the_future_is_kept():
    assert moment("2100-01-01") == pd.Timestamp("2100-01-01")


def test_licences_have_their_usual_name_if_they_are_known():
    assert licence("cc by-sa 4.0") == "CC-BY-SA-4.0"
    assert licence("https://creativecommons.org/licenses/by/4.0/") == "CC-BY-4.0"
    assert licence("etalab-2.0") == "etalab-2.0"
    assert licence("House rules, 3rd edition") == "House rules, 3rd edition"
    assert licence(None) is None


def test_names_are_on_one_line():
    assert text(" a \n b ") == "a b"
    assert len(text("x" * 1000)) == 200
    assert [text(v) for v in ("", None, True, {"a": 1}, 12)] == [None, None, None, None, "12"]


def test_addresses_are_of_the_web():
    assert address("https://a.example/1.jpg") == "https://a.example/1.jpg"
    assert [address(v) for v in ("file:///etc", "a.jpg", None, 3)] == [None] * 4


def test_sizes_are_positive():
    assert [whole(v) for v in (5760, "2880", 0, -3, math.nan, None)] == [5760, 2880] + [None] * 4
    assert number("1e400") is None


def test_captures_come_as_the_schema_says_with_null_for_what_is_missing():
    frame = found_frame([{"capture_id": "1", "projection": "perspective", "lat": 51.5, "lon": 0.0}])
    assert frame.columns.tolist() == FOUND.names
    assert frame.loc[0, ["compass_deg", "creator", "captured_at", "reason"]].isna().all()


def test_captures_of_no_use_say_why():
    rows = [
        {"capture_id": "1", "projection": "perspective", "lat": None, "lon": None},
        {"capture_id": "2", "projection": "", "lat": 51.5, "lon": 0.0},
    ]
    assert found_frame(rows)["reason"].tolist() == ["no_position", "unusable_projection"]
    assert found_frame([]).columns.tolist() == FOUND.names
