"""Boundaries are found, read and put on the British National Grid, or refused."""

import gzip
import json
import zipfile

import geopandas as gpd
import pandas as pd
import pytest
from shapely import box, transform

from streetineq_assets.errors import SourceError
from streetineq_assets.geography import area_centroids, find_boundaries, read_boundaries

CODES = ["E01000002", "E01000001"]


@pytest.fixture
def areas():
    shapes = [box(530_000 + 1000 * i, 180_000, 531_000 + 1000 * i, 181_000) for i in range(2)]
    return gpd.GeoDataFrame({"LSOA11CD": CODES}, geometry=shapes, crs="EPSG:27700")


def geojson(areas, path, packed=False):
    text = areas.to_crs("EPSG:4326").to_json()
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    return path


POSTCODES = pd.DataFrame(
    {
        "area": ["E01000001"] * 4 + ["E01000002"] * 3,
        "lat": [51.5] * 4 + [51.6, 51.6, None],
        "lon": [-0.1] * 4 + [-0.2, -0.2, None],
        "msoa": ["E02000001"] * 4 + [None] * 3,
        "authority": ["E09000002", "E09000002", "E09000001", None, "E09000004", "E09000003", None],
    }
)


def test_an_area_lies_where_most_of_its_postcodes_say() -> None:
    """As many for each authority: the first by code, whatever the order of rows."""
    for rows in (POSTCODES, POSTCODES.iloc[::-1]):
        told = area_centroids(rows).set_index("area")
        assert told["authority"].to_dict() == {"E01000001": "E09000002", "E01000002": "E09000003"}
        assert told["msoa"]["E01000001"] == "E02000001"
        assert pd.isna(told["msoa"]["E01000002"])


def test_postcodes_without_msoas_and_authorities_leave_them_open() -> None:
    told = area_centroids(POSTCODES[["area", "lat", "lon"]])
    assert told[["msoa", "authority"]].isna().all(axis=None)
    columns = ["area", "easting_m", "northing_m"]
    pd.testing.assert_frame_equal(told[columns], area_centroids(POSTCODES)[columns])


@pytest.mark.parametrize("name", ["a.geojson", "a.geojson.gz", "a.gpkg", "a.shp"])
def test_every_form_gives_the_same_areas_by_code(tmp_path, areas, name):
    path = tmp_path / name
    if "geojson" in name:
        geojson(areas, path, packed=name.endswith(".gz"))
    else:
        areas.rename(columns={"LSOA11CD": "lsoa11cd"}).to_file(path)
    read = read_boundaries(find_boundaries(tmp_path))
    assert read["area"].to_list() == sorted(CODES)
    assert read.crs == "EPSG:27700"
    assert read.geometry.area.round(-2).to_list() == [1e6, 1e6]


def test_a_zipped_shapefile_is_read_as_it_was_downloaded(tmp_path, areas):
    (tmp_path / "unpacked").mkdir()
    areas.to_file(tmp_path / "unpacked" / "areas.shp")
    (tmp_path / "boundaries").mkdir()
    with zipfile.ZipFile(tmp_path / "boundaries" / "areas.zip", "w") as archive:
        for path in (tmp_path / "unpacked").iterdir():
            archive.write(path, path.name)
    read = read_boundaries(find_boundaries(tmp_path / "boundaries"))
    assert read["area"].to_list() == sorted(CODES)


def test_no_boundaries_is_no_error(tmp_path):
    (tmp_path / "lookup.csv").write_text("LSOA11CD,LSOA21CD\n")
    assert find_boundaries(tmp_path) is None


def test_hidden_files_are_no_boundaries(tmp_path, areas):
    """A Mac leaves `._areas.geojson` beside what it copies to another disk."""
    areas.to_file(tmp_path / "areas.geojson")
    (tmp_path / "._areas.geojson").write_bytes(b"\0\5\26\7")
    assert find_boundaries(tmp_path) == tmp_path / "areas.geojson"


def test_two_files_are_refused(tmp_path, areas):
    geojson(areas, tmp_path / "a.geojson")
    geojson(areas, tmp_path / "b.geojson")
    with pytest.raises(SourceError, match=r"a\.geojson and .*b\.geojson"):
        find_boundaries(tmp_path)


def test_what_is_no_boundary_file_is_refused(tmp_path, areas):
    cases = {
        "truncated": geojson(areas, tmp_path / "whole.geojson").read_bytes()[:200],
        "codes": geojson(
            areas.rename(columns={"LSOA11CD": "MSOA11CD"}), tmp_path / "x"
        ).read_bytes(),
        "twice": geojson(areas.assign(LSOA11CD="E01000001"), tmp_path / "x").read_bytes(),
        "nothing": json.dumps({"type": "FeatureCollection", "features": []}).encode(),
    }
    messages = {
        "truncated": r"truncated\.geojson holds no boundaries",
        "codes": r"codes\.geojson .*LSOA11CD.*msoa11cd",
        "twice": "twice.*E01000001|E01000001.*twice",
        "nothing": r"nothing\.geojson .*LSOA11CD",
    }
    for case, raw in cases.items():
        path = tmp_path / f"{case}.geojson"
        path.write_bytes(raw)
        with pytest.raises(SourceError, match=messages[case]):
            read_boundaries(path)


def saved(path, areas):
    areas.to_file(path)
    return path


def without_a_system(areas, path):
    """GeoJSON with the numbers as they are: nothing says that they are metres."""
    features = json.loads(areas.to_json())
    features.pop("crs", None)
    path.write_text(json.dumps(features))
    return path


def test_metres_that_are_given_for_degrees_are_read_as_metres(tmp_path, areas):
    read = read_boundaries(without_a_system(areas, tmp_path / "a.geojson"))
    assert read.total_bounds.tolist() == [530_000, 180_000, 532_000, 181_000]


@pytest.mark.parametrize(
    ("system", "turn"),
    [("EPSG:4326", True), ("EPSG:3857", False)],
    ids=["latitude first", "Web Mercator that does not say so"],
)
def test_areas_outside_great_britain_are_refused(tmp_path, areas, system, turn):
    areas = areas.to_crs(system)
    if turn:
        areas.geometry = transform(areas.geometry, lambda xy: xy[:, ::-1])
    with pytest.raises(SourceError, match=rf"a\.geojson: {CODES[0]} lies outside Great Britain"):
        read_boundaries(without_a_system(areas, tmp_path / "a.geojson"))


def test_degrees_that_are_given_for_metres_are_refused(tmp_path, areas):
    """East of Greenwich both numbers are positive, as metres are."""
    degrees = areas.to_crs("EPSG:4326").translate(xoff=1)
    areas.geometry = degrees.set_crs("EPSG:27700", allow_override=True)
    with pytest.raises(SourceError, match=r"a\.gpkg: .*outside Great Britain"):
        read_boundaries(saved(tmp_path / "a.gpkg", areas))


def test_data_zones_and_the_areas_of_northern_ireland_are_left_out(tmp_path, areas):
    """The UK Data Service has the four nations in one file, under `geo_code`."""
    areas = gpd.GeoDataFrame(pd.concat([areas] * 2), crs=areas.crs)
    areas["geo_code"] = [*CODES, "S01006506", "95AA01S1"]
    read = read_boundaries(saved(tmp_path / "infuse.shp", areas.drop(columns="LSOA11CD")))
    assert read["area"].to_list() == sorted(CODES)


@pytest.mark.parametrize("code", ["E02000001", "E0100001", None])
def test_a_code_of_another_kind_is_named_with_its_column(tmp_path, areas, code):
    path = saved(tmp_path / "a.gpkg", areas.assign(LSOA11CD=[CODES[0], code]))
    with pytest.raises(SourceError, match=rf"a\.gpkg, area 2: .*{code or 'n'}.* LSOA11CD"):
        read_boundaries(path)


def test_an_area_without_a_shape_is_named(tmp_path, areas):
    areas.loc[1, "geometry"] = None
    with pytest.raises(SourceError, match=rf"{CODES[1]} has no shape"):
        read_boundaries(saved(tmp_path / "a.gpkg", areas))


def test_a_table_without_shapes_is_no_boundaries(tmp_path):
    path = tmp_path / "lookup.geojson"
    feature = {"type": "Feature", "properties": {"LSOA11CD": CODES[0]}, "geometry": None}
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    with pytest.raises(SourceError, match=r"lookup\.geojson"):
        read_boundaries(path)
