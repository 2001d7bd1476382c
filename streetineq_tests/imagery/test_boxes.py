"""Boxes cover what is asked for, split where it is crowded, and lose nothing."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Geod

from streetineq_assets.imagery.boxes import (
    Box,
    TooManyCapturesError,
    around,
    search_boxes,
    tiles,
    together,
)
from streetineq_assets.imagery.found import found_frame

WGS84 = Geod(ellps="WGS84")
PLACES = st.tuples(st.floats(-80, 80), st.floats(-179, 179))


def row(capture_id, lat, lon, **more):
    return {
        "capture_id": capture_id,
        "lat": lat,
        "lon": lon,
        "projection": "equirectangular",
        **more,
    }


def world_of(places):
    return found_frame(row(f"c{k:04}", lat, lon) for k, (lat, lon) in enumerate(places))


def limited(world, limit, calls=None):
    """A search that lists what lies in a box, its rim included, and at most so many."""

    def search(box):
        if calls is not None:
            calls.append(box)
        inside = world[box.holds(world["lat"], world["lon"])]
        if len(inside) > limit:
            raise TooManyCapturesError(inside.head(limit))
        return inside

    return search


@given(PLACES, st.floats(1, 500))
def test_box_around_a_point_holds_its_circle(place, reach_m):
    box = around(*place, reach_m)
    bearings = np.linspace(0, 360, 73)
    lon, lat, _ = WGS84.fwd(
        np.full(73, place[1]), np.full(73, place[0]), bearings, np.full(73, reach_m)
    )
    assert box.holds(lat, lon).all()
    # And it is not much wider than that.
    _, _, high = WGS84.inv(box.west, box.south, box.west, box.north)
    assert high <= 2 * reach_m * 1.001 + 0.001
    assert box.corner_m >= reach_m


@given(st.lists(PLACES, min_size=1, max_size=5), st.floats(1, 300), st.sampled_from([0.009, 0.005]))
def test_tiles_hold_the_surroundings_of_every_point(places, reach_m, side_deg):
    boxes = tiles(pd.DataFrame(places, columns=["lat", "lon"]), reach_m=reach_m, side_deg=side_deg)
    for lat, lon in places:
        east, north, _ = WGS84.fwd(
            np.full(37, lon), np.full(37, lat), np.linspace(0, 360, 37), np.full(37, reach_m)
        )
        held = np.zeros(37, dtype=bool)
        for box in boxes:
            held |= box.holds(north, east)
        assert held.all()
    assert len(set(boxes)) == len(boxes)
    assert all(box.side_deg < 0.01 for box in boxes)


def test_tiles_are_as_few_as_can_be():
    middle = pd.DataFrame({"lat": [51.5045], "lon": [-0.1215]})
    assert len(tiles(middle, reach_m=25, side_deg=0.009)) == 1
    # 5 m from two rims, but 28 m from the corner: the fourth box is not needed.
    corner = tiles(middle, reach_m=25, side_deg=0.009)[0]
    lat, lon = corner.north - 20 / 111_200, corner.east - 20 / 69_300
    near = pd.DataFrame({"lat": [lat], "lon": [lon]})
    assert len(tiles(near, reach_m=25, side_deg=0.009)) == 3
    assert len(tiles(near, reach_m=30, side_deg=0.009)) == 4


def test_tiles_do_not_depend_on_the_points():
    points = pd.DataFrame({"lat": [51.5, 51.5001], "lon": [-0.12, -0.1201]})
    one = tiles(points.head(1), reach_m=25, side_deg=0.009)
    assert set(one) <= set(tiles(points, reach_m=25, side_deg=0.009))
    assert str(one[0]) == "-0.126,51.498,-0.117,51.507"


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.floats(51.498, 51.507), st.floats(-0.126, -0.117)), max_size=60),
    st.integers(3, 20),
)
def test_splitting_finds_every_capture_of_a_crowd_once(places, limit):
    # At most three share a spot, so that splitting ends.
    spots = [place for k, place in enumerate(places) if places[:k].count(place) < 3]
    world = world_of(spots)
    box = Box(-0.126, 51.498, -0.117, 51.507)
    found = together(search_boxes(limited(world, limit), box, least_deg=1e-9))
    assert found.captures["capture_id"].tolist() == world["capture_id"].tolist()
    assert found.not_exhausted == ()


def test_what_cannot_be_split_further_is_reported_and_what_came_is_kept():
    world = world_of([(51.5, -0.12)] * 30)
    calls = []
    box = Box(-0.126, 51.498, -0.117, 51.507)
    found = together(search_boxes(limited(world, 10, calls), box, least_deg=0.001))
    assert len(found.captures) == 10
    assert len(found.not_exhausted) == 1
    assert found.not_exhausted[0].side_deg >= 0.001
    assert found.n_boxes == len(calls) - 3  # three were split


def test_captures_from_elsewhere_are_dropped_and_counted():
    box = Box(0.0, 50.0, 0.1, 50.1)
    world = world_of([(50.05, 0.05), (50.05, 0.2), (50.2, 0.05)])
    found = together(search_boxes(lambda _: world, box, least_deg=0.01))
    assert found.captures["capture_id"].tolist() == ["c0000"]
    assert found.n_outside == 2


def test_capture_belongs_to_a_box_by_either_of_its_positions():
    box = Box(0.0, 50.0, 0.1, 50.1)
    moved = found_frame([row("m", 50.05, 0.1001, raw_lat=50.05, raw_lon=0.0999)])
    found = together(search_boxes(lambda _: moved, box, least_deg=0.01))
    assert (len(found.captures), found.n_outside) == (1, 0)


def test_capture_on_the_rim_of_two_boxes_counts_once():
    boxes = Box(0.0, 50.0, 0.1, 50.1), Box(0.1, 50.0, 0.2, 50.1)
    world = world_of([(50.05, 0.1)])
    answers = [a for box in boxes for a in search_boxes(limited(world, 9), box, least_deg=0.01)]
    found = together(answers)
    assert (len(found.captures), found.n_twice) == (1, 1)


def test_captures_of_no_use_are_told_by_reason():
    world = found_frame(
        [row("a", None, 0.05), row("b", 50.05, 0.05, projection=""), row("c", 50.05, 0.05)]
    )
    found = together(search_boxes(lambda _: world, Box(0.0, 50.0, 0.1, 50.1), least_deg=0.01))
    assert found.captures["capture_id"].tolist() == ["c"]
    reasons = dict(found.rejected[["capture_id", "reason"]].to_numpy().tolist())
    assert reasons == {"a": "no_position", "b": "unusable_projection"}


def test_nothing_found_is_an_empty_table():
    found = together(search_boxes(lambda _: found_frame([]), Box(0, 50, 1, 51), least_deg=0.1))
    assert found.captures.empty
    assert found.rejected.empty


@pytest.mark.parametrize("box", [Box(-0.126, 51.498, -0.117, 51.507), Box(0.0, -1.0, 1.0, 0.0)])
def test_quarters_share_their_rims(box):
    south_west, south_east, north_west, north_east = box.split()
    assert south_west.east == south_east.west == north_west.east == north_east.west
    assert south_west.north == north_west.south == south_east.north == north_east.south
    assert (south_west.west, south_west.south) == (box.west, box.south)
    assert (north_east.east, north_east.north) == (box.east, box.north)
