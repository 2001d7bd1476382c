"""Listed locations by rounded coordinates."""

from decimal import ROUND_HALF_DOWN, ROUND_HALF_UP, Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streetineq_assets.images.positions import Place, Positions

LISTED = pd.DataFrame(
    {
        "location_id": ["strand", "strand", "mile_end", "greenwich", "unknown", "near_greenwich"],
        "lat": [51.5114381, 51.5114381, 51.52543, 51.4779, np.nan, 51.4779004],
        "lon": [-0.1160279, -0.1160279, -0.03339, 0.0, np.nan, 0.0000004],
    }
)


@pytest.fixture(scope="module")
def positions():
    return Positions(LISTED)


@pytest.mark.parametrize(
    ("position", "expected"),
    [
        (("51.5114381", "-0.1160279"), ("strand", None)),
        (("51.511438", "-0.116028"), ("strand", None)),
        (("51.511", "-0.116"), ("strand", None)),
        (("+51.525", "-0.033"), ("mile_end", None)),
        (("51.52543", "-0.0333900000000001"), ("mile_end", None)),
        (("51.51", "-0.12"), (None, "coarse_position")),
        (("51", "0"), (None, "coarse_position")),
        (("51.477900", "0.000000"), (None, "ambiguous_position")),
        (("51.4779000", "0.0000000"), ("greenwich", None)),
        (("51.4779004", "0.0000004"), ("near_greenwich", None)),
        (("51.512", "-0.116"), (None, "unlisted_location")),
        (("-51.511438", "0.116028"), (None, "unlisted_location")),
    ],
)
def test_the_location_is_the_one_that_has_these_coordinates_rounded_so(
    positions, position, expected
):
    assert positions.at(position) == Place(*expected)


def test_zeros_that_a_program_left_away_are_known_by_the_other_number(positions):
    frame = pd.DataFrame({"location_id": ["x"], "lat": [51.5], "lon": [-0.127758]})
    assert Positions(frame).at(("51.5", "-0.127758")) == Place("x", None)


@given(
    st.decimals(49, 61, places=7),
    st.decimals(-8, 2, places=7),
    st.integers(3, 7),
    st.sampled_from([ROUND_HALF_UP, ROUND_HALF_DOWN]),
)
def test_halves_may_be_rounded_either_way(lat, lon, decimals, rounding):
    unit = Decimal(1).scaleb(-decimals)
    name = (str(lat.quantize(unit, rounding)), str(lon.quantize(unit, rounding)))
    listed = pd.DataFrame({"location_id": ["x"], "lat": [float(lat)], "lon": [float(lon)]})
    assert Positions(listed).at(name) == Place("x", None)


@given(st.decimals(49, 61, places=7), st.integers(3, 7), st.integers(1, 9))
def test_what_is_a_unit_away_is_another_place(lat, decimals, units):
    other = lat.quantize(Decimal(1).scaleb(-decimals)) + units * Decimal(1).scaleb(-decimals)
    listed = pd.DataFrame({"location_id": ["x"], "lat": [float(lat)], "lon": [0.5]})
    zeros = "0" * (decimals - 1)
    assert Positions(listed).at((str(other), f"0.5{zeros}")) == Place(None, "unlisted_location")


def test_the_nearest_is_so_many_metres_away(positions):
    """1e-4 degrees of latitude are 11.1 m, of longitude 6.9 m at 51.5 degrees."""
    name, metres = positions.nearest(("51.5115381", "-0.1160279"))
    assert name == "strand"
    assert metres == pytest.approx(11.1, abs=0.1)
    _, metres = positions.nearest(("51.5114381", "-0.1161279"))
    assert metres == pytest.approx(6.9, abs=0.1)


def test_coordinates_are_written_as_names_may_have_them(positions):
    assert positions.written("strand") == ("51.511438", "-0.116028")
    assert positions.written("unknown") is None


def test_without_coordinates_there_is_no_place():
    for nothing in (None, LISTED.assign(lat=np.nan)):
        assert len(Positions(nothing)) == 0
        assert Positions(nothing).at(("51.511", "-0.116")) == Place(None, "unlisted_location")
