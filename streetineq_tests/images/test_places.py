"""Where a position lies: in which area, by any coordinate system, and beside which postcode."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Geod

from streetineq_assets.errors import SourceError
from streetineq_assets.images.places import areas_of_points, count_agreeing, nearest_postcodes

# Four squares of a hundredth of a degree around 51.5 N, 0.1 W, in reading order.
NW, NE, SW, SE = "E01000001", "E01000002", "E01000003", "E01000004"
LON, LAT, SIDE = -0.1, 51.5, 0.01
SQUARES = {
    NW: shapely.box(LON - SIDE, LAT, LON, LAT + SIDE),
    NE: shapely.box(LON, LAT, LON + SIDE, LAT + SIDE),
    SW: shapely.box(LON - SIDE, LAT - SIDE, LON, LAT),
    SE: shapely.box(LON, LAT - SIDE, LON + SIDE, LAT),
}
SYSTEMS = [4326, 27700, 3857, 4277, 32630, "OGC:CRS84"]


def areas(shapes=SQUARES, crs=4326):
    named = {"area": list(shapes), "geometry": list(shapes.values())}
    return gpd.GeoDataFrame(named, geometry="geometry", crs=4326).to_crs(crs)


def points(*positions):
    """Latitude and longitude of each, with ids by number."""
    frame = pd.DataFrame(positions, columns=["lat", "lon"], dtype="float64")
    frame.insert(0, "location_id", [str(n) for n in range(len(frame))])
    return frame


def found(positions, within):
    """The area of each position, or why it has none."""
    table = areas_of_points(points(*positions), within)
    assert list(table.columns) == ["location_id", "area", "reason"]
    assert (table["area"].isna() != table["reason"].isna()).all()
    return table["area"].fillna(table["reason"]).to_list()


# -- coordinate systems ----------------------------------------------------------------------------

INSIDE = [(51.505, -0.105), (51.505, -0.095), (51.495, -0.105), (51.495, -0.095)]


@pytest.mark.parametrize("crs", SYSTEMS)
def test_points_lie_where_they_lie_whatever_system_the_areas_have(crs):
    assert found([*INSIDE, (51.52, -0.1)], areas(crs=crs)) == [NW, NE, SW, SE, "outside_all_areas"]


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:4258", "EPSG:3035"])
def test_the_order_of_axes_of_an_authority_does_not_count(crs):
    """These systems have latitude or northing first; shapes have x first in all of them."""
    assert found([INSIDE[1]], areas(crs=crs)) == [NE]


def test_exchanged_coordinates_are_nowhere():
    assert found([(-0.095, 51.505)], areas()) == ["outside_all_areas"]
    assert found([(-0.095, 51.505)], areas(crs=27700)) == ["outside_all_areas"]


def test_a_square_of_the_national_grid_holds_what_the_ordnance_survey_says():
    """Of the test data of OSTN15: 52.658007833 N, 1.716073973 E is 651409.804 E, 313177.450 N.

    Without the grid of shifts a transformation is good to 5 m.
    """
    square = shapely.box(651409.804 - 5, 313177.450 - 5, 651409.804 + 5, 313177.450 + 5)
    grid = gpd.GeoDataFrame({"area": ["A"]}, geometry=[square], crs=27700)
    assert found([(52.658007833, 1.716073973)], grid) == ["A"]
    assert found([(52.658007833, 1.7164)], grid) == ["outside_all_areas"]  # 22 m east


def test_areas_without_a_coordinate_system_are_refused():
    with pytest.raises(SourceError, match=r"no coordinate system.*set_crs"):
        areas_of_points(points((51.5, -0.1)), areas().set_crs(None, allow_override=True))


# -- borders ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("position", "expected"),
    [
        pytest.param((51.505, -0.1), "in_several_areas", id="on the border of two"),
        pytest.param((51.5, -0.1), "in_several_areas", id="where four meet"),
        pytest.param((51.5, -0.11), "in_several_areas", id="where a border of two ends"),
        pytest.param((51.51, -0.105), NW, id="on the outer border of one"),
        pytest.param((51.51, -0.11), NW, id="on a corner of one"),
    ],
)
def test_the_border_of_an_area_belongs_to_it(position, expected):
    assert found([position], areas()) == [expected]
    backwards = dict(reversed(SQUARES.items()))
    assert found([position], areas(backwards)) == [expected]


def test_where_areas_overlap_no_one_is_chosen():
    wider = SQUARES | {NE: shapely.box(LON - SIDE / 2, LAT, LON + SIDE, LAT + SIDE)}
    both, one = (51.505, -0.102), (51.505, -0.108)
    assert found([both, one], areas(wider)) == ["in_several_areas", NW]


# -- shapes ----------------------------------------------------------------------------------------


def test_a_hole_is_in_no_area_and_an_island_in_its_own():
    lake = SQUARES[NW].difference(shapely.box(-0.107, 51.503, -0.103, 51.507))
    island = shapely.box(-0.106, 51.504, -0.104, 51.506)
    in_lake, on_island, ashore = (51.5035, -0.1065), (51.505, -0.105), (51.502, -0.105)
    shapes = areas({"shore": lake, "island": island})
    assert found([in_lake, on_island, ashore], shapes) == ["outside_all_areas", "island", "shore"]


def test_an_area_may_have_several_parts():
    parts = areas({"both": shapely.MultiPolygon([SQUARES[NW], SQUARES[SE]])})
    expected = ["both", "outside_all_areas", "outside_all_areas", "both"]
    assert found(INSIDE, parts) == expected
    apart = parts.explode(ignore_index=True)
    assert len(apart) == 2
    assert found(INSIDE, apart) == expected
    assert found([(51.5, -0.1)], apart) == ["both"]  # where its parts touch


def test_a_shape_that_crosses_itself_is_all_that_its_ring_encloses():
    """A ring that goes diagonally: two triangles that meet in the middle."""
    west, east = (51.5, -0.108), (51.5, -0.092)
    north = (51.508, -0.1)
    bow = shapely.Polygon([(-0.11, 51.49), (-0.09, 51.51), (-0.09, 51.49), (-0.11, 51.51)])
    assert not bow.is_valid
    assert found([west, east, north], areas({"A": bow})) == ["A", "A", "outside_all_areas"]


@pytest.mark.parametrize(
    "shape",
    [
        pytest.param(None, id="none"),
        pytest.param(shapely.Polygon(), id="an empty one"),
        pytest.param(shapely.Point(-0.1, 51.5), id="a point"),
        pytest.param(shapely.LineString([(-0.1, 51.5), (0, 52)]), id="a line"),
        pytest.param(shapely.Polygon([(-0.1, 51.5), (0, 52), (-0.1, 51.5)]), id="a flat ring"),
    ],
)
def test_an_area_without_ground_is_refused_by_name(shape):
    with pytest.raises(SourceError, match=f"area {NE} "):
        areas_of_points(points(*INSIDE), areas(SQUARES | {NE: shape}))


# -- rows ------------------------------------------------------------------------------------------


def test_a_point_without_coordinates_has_no_position():
    positions = [(np.nan, -0.1), (51.505, np.nan), (np.nan, np.nan), (np.inf, 0), INSIDE[0]]
    assert found(positions, areas()) == ["no_position"] * 4 + [NW]
    nullable = points(*positions).replace(np.inf, np.nan).convert_dtypes()
    assert areas_of_points(nullable, areas())["reason"].to_list()[:4] == ["no_position"] * 4


def test_rows_come_in_the_order_given_and_ids_may_repeat():
    given_points = points(*INSIDE, INSIDE[0]).iloc[[3, 1, 4, 0, 2]]
    given_points["location_id"] = ["b", "a", "b", "007", "c"]
    table = areas_of_points(given_points, areas())
    assert table["location_id"].to_list() == ["b", "a", "b", "007", "c"]
    assert table["area"].to_list() == [SE, NE, NW, NW, SW]
    assert list(table.index) == [0, 1, 2, 3, 4]


def test_of_nothing_there_is_nothing():
    table = areas_of_points(points(), areas())
    assert (len(table), list(table.columns)) == (0, ["location_id", "area", "reason"])
    assert found(INSIDE[:1], areas({})) == ["outside_all_areas"]


def test_a_point_beyond_the_world_is_outside():
    for crs in SYSTEMS:
        assert found([(95, 0), (0, 1e9)], areas(crs=crs)) == ["outside_all_areas"] * 2


grid_positions = st.tuples(st.integers(-12, 12), st.integers(-12, 12))


@given(st.lists(grid_positions, max_size=30), st.sampled_from([4326, 27700]))
def test_each_point_is_where_a_loop_over_all_areas_finds_it(steps, crs):
    """Polygons of a lattice, some overlapping, some with holes; points on and off its lines."""
    ring = shapely.box(-0.105, 51.495, -0.095, 51.505)
    shapes = SQUARES | {"ring": ring.difference(shapely.box(-0.102, 51.498, -0.098, 51.502))}
    within = areas(shapes, crs)
    at = [(51.5 + y / 1000, -0.1 + x / 1000) for x, y in steps]
    projected = gpd.GeoSeries([shapely.Point(lon, lat) for lat, lon in at], crs=4326).to_crs(crs)
    expected = []
    for point in projected:
        inside = [
            name
            for name, shape in zip(within["area"], within.geometry, strict=True)
            if shape.covers(point)
        ]
        several = "in_several_areas" if inside else "outside_all_areas"
        expected.append(inside[0] if len(inside) == 1 else several)
    assert found(at, within) == expected


def test_agreement_counts_the_points_that_lie_in_the_area_that_is_known_to_be_theirs():
    known = points(*INSIDE, (51.52, -0.1), (51.5, -0.1)).assign(area=[NW, NE, SE, SE, NW, NW])
    assert count_agreeing(known, areas()) == (6, 3)
    assert count_agreeing(known.iloc[:0], areas()) == (0, 0)


# -- postcodes -------------------------------------------------------------------------------------


def postcodes(*rows):
    return pd.DataFrame(rows, columns=["postcode", "usertype", "lat", "lon"])


def nearest(positions, candidates, within_m=100.0):
    table = nearest_postcodes(points(*positions), candidates, within_m=within_m)
    assert list(table.columns) == ["location_id", "postcode", "metres", "reason"]
    assert (table["postcode"].isna() != table["reason"].isna()).all()
    assert (table["postcode"].isna() == table["metres"].isna()).all()
    return table["postcode"].fillna(table["reason"]).to_list()


def test_the_nearest_postcode_is_taken_by_metres_and_not_by_degrees():
    """At 51.5 N a degree of longitude has 0.62 of the metres of one of latitude."""
    around = postcodes(("A NORTH", 0, 51.5008, -0.1), ("B EAST", 0, 51.5, -0.099))
    assert nearest([(51.5, -0.1)], around) == ["B EAST"]  # 69 m, and 89 m


@pytest.mark.parametrize(("within_m", "expected"), [(90, "A"), (88, "no_postcode_near")])
def test_a_postcode_beyond_the_limit_places_nothing(within_m, expected):
    """0.0008 degrees of latitude are 89 metres here."""
    assert nearest([(51.5, -0.1)], postcodes(("A", 0, 51.5008, -0.1)), within_m) == [expected]


def test_of_several_at_one_place_small_users_come_first_and_then_codes():
    there = [("C", 0, 51.5, -0.1), ("A", 1, 51.5, -0.1), ("B", 0, 51.5, -0.1)]
    for order in (there, there[::-1]):
        assert nearest([(51.5, -0.1)], postcodes(*order)) == ["B"]
    assert nearest([(51.5, -0.1)], postcodes(("Z", 1, 51.5, -0.1), ("Y", 1, 51.5, -0.1))) == ["Y"]


def test_of_several_at_one_distance_the_first_is_taken_whatever_their_order():
    """A metre and a metre on both sides of the point, on the grid."""
    from pyproj import Transformer

    to_degrees = Transformer.from_crs(27700, 4326, always_xy=True).transform
    lon, lat = to_degrees([529999, 530001, 530000], [180000, 180000, 180000])
    both = [("B", 0, lat[0], lon[0]), ("A", 0, lat[1], lon[1])]
    for order in (both, both[::-1]):
        assert nearest([(lat[2], lon[2])], postcodes(*order)) == ["A"]


def test_without_coordinates_or_postcodes_there_is_a_reason():
    one = postcodes(("A", 0, 51.5, -0.1))
    assert nearest([(np.nan, -0.1), (51.5, -0.1)], one) == ["no_position", "A"]
    assert nearest([(51.5, -0.1)], one.iloc[:0]) == ["no_postcode_near"]
    assert nearest([], one) == []


degrees = st.integers(-30, 30).map(lambda step: step / 10_000)


@given(
    st.lists(st.tuples(degrees, degrees), max_size=12),
    st.lists(st.tuples(degrees, degrees), max_size=12, unique=True),
)
def test_the_nearest_is_that_of_a_loop_over_all(positions, candidates):
    """By geodesics on the ellipsoid, which a grid bends by less than 0.1 %."""
    at = [(51.5 + lat, -0.1 + lon) for lat, lon in positions]
    frame = postcodes(
        *[(f"P{n:02d}", 0, 51.5 + a, -0.1 + o) for n, (a, o) in enumerate(candidates)]
    )
    table = nearest_postcodes(points(*at), frame, within_m=200)
    for (lat, lon), row in zip(at, table.itertuples(), strict=True):
        n = len(frame)
        metres = Geod(ellps="WGS84").inv([lon] * n, [lat] * n, frame["lon"], frame["lat"])[2]
        least = min(metres, default=np.inf)
        if least > 200.3:
            assert row.reason == "no_postcode_near"
        elif least < 199.7:
            own = metres[int(row.postcode[1:])]
            assert own == pytest.approx(least, rel=1e-3, abs=0.002)
            assert row.metres == pytest.approx(own, rel=1e-3, abs=0.002)
