"""Shapes of a city: borders stay shared, holes stay holes, and paths draw them again."""

import re

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from streetineq_assets.reports.page.shapes import city_shapes

NOWHERE = pd.DataFrame({"area": [], "lat": [], "lon": []})
EAST, NORTH = 530_000.0, 180_000.0  # in London


def boundaries(shapes: dict) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(
        {"area": list(shapes)}, geometry=list(shapes.values()), crs="EPSG:27700"
    )


def square(x: float, y: float, side: float = 1000.0):
    return shapely.box(EAST + x, NORTH + y, EAST + x + side, NORTH + y + side)


def points_of(path: str) -> list[np.ndarray]:
    """The rings that a path draws, followed as SVG says."""
    rings = []
    for ring in path.split("z")[:-1]:
        start, steps = re.fullmatch(r"M(-?\d+ -?\d+)l(.*)", ring).groups()
        numbers = np.array([*start.split(), *steps.split()], int).reshape(-1, 2)
        rings.append(numbers.cumsum(axis=0))
    return rings


def test_paths_draw_the_boundaries_to_the_unit():
    areas = {"E01000001": square(0, 0), "E01000002": square(1000, 0)}
    shapes = city_shapes(sorted(areas), boundaries(areas), NOWHERE)
    west, _, _, north = shapes.bounds
    for path, shape in zip(shapes.paths(), areas.values(), strict=True):
        (ring,) = points_of(path)
        metres = ring * (shapes.unit, -shapes.unit) + (west, north)
        drawn = shapely.Polygon(metres)
        assert drawn.symmetric_difference(shape).area < 4 * 1000 * shapes.unit


def test_neighbours_share_their_border_after_simplification():
    """A wiggling border between two areas is simplified once."""
    wiggle = [(EAST + 1000 + 3 * np.sin(t * 9), NORTH + 2000 * t) for t in np.linspace(0, 1, 400)]
    left = shapely.Polygon([(EAST, NORTH), *wiggle, (EAST, NORTH + 2000)])
    right = shapely.Polygon([(EAST + 9000, NORTH), *wiggle, (EAST + 9000, NORTH + 2000)])
    shapes = city_shapes(["a", "b"], boundaries({"a": left, "b": right}), NOWHERE)
    (one,), (other,) = (points_of(path) for path in shapes.paths())
    shared = set(map(tuple, one.tolist())) & set(map(tuple, other.tolist()))
    assert len(one) + len(other) < 400
    assert len(shared) >= len(one) - 2, "all of the left area's points but its two corners"


def test_holes_and_parts_are_drawn():
    ring = square(0, 0, 3000).difference(square(1000, 1000))
    island = square(5000, 0, 500)
    areas = {"a": shapely.union_all([ring, island]), "b": square(1000, 1000)}
    shapes = city_shapes(["a", "b"], boundaries(areas), NOWHERE)
    assert [is_hole for _, is_hole in shapes.rings[0]].count(True) == 1
    assert len(points_of(shapes.paths()[0])) == 3
    drawn = [position for position, _, _ in shapes.rings_by_size()]
    assert drawn.index(1) > drawn.index(0), "the area in the hole comes after it"


def test_areas_without_a_boundary_are_points_and_the_others_nothing():
    where = pd.DataFrame({"area": ["b", "z"], "lat": [51.5, 51.5], "lon": [-0.1, -0.1]})
    shapes = city_shapes(["a", "b", "c"], boundaries({"a": square(0, 0)}), where)
    assert [bool(path) for path in shapes.paths()] == [True, False, False]
    assert [dot is not None for dot in shapes.dots()] == [False, True, False]


@pytest.mark.parametrize("where", [NOWHERE, NOWHERE.assign(area="a", lat=np.nan, lon=np.nan)])
def test_a_city_of_which_no_place_is_known_has_no_shapes(where):
    shapes = city_shapes(["a"], None, where)
    assert shapes.paths() == [""]
    assert shapes.dots() == [None]
    assert all(side > 0 for side in shapes.size())


def test_one_area_alone_has_room_around_it():
    where = pd.DataFrame({"area": ["a"], "lat": [51.5], "lon": [-0.1]})
    west, south, east, north = city_shapes(["a"], None, where).bounds
    assert (east - west, north - south) == (1000, 1000)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=1, max_size=30))
def test_every_shape_lies_within_the_drawing(cells):
    areas = {f"{x}-{y}": square(x * 1000, y * 1000) for x, y in cells}
    shapes = city_shapes(sorted(areas), boundaries(areas), NOWHERE)
    width, height = shapes.size()
    for path in shapes.paths():
        for ring in points_of(path):
            assert (ring >= 0).all()
            assert (ring <= (width, height)).all()
