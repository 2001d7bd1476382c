"""One row for each area, with its boundary, its centroid, or nothing."""

import sqlite3
import subprocess
import sys
from contextlib import closing

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from streetineq_assets import tables
from streetineq_assets.geography import read_boundaries
from streetineq_assets.labels.outcomes import OUTCOMES
from streetineq_assets.predictions.tables import LSOA_PREDICTIONS
from streetineq_assets.reports.pack import geofiles
from streetineq_assets.reports.pack.qgis_styles import decile_style
from streetineq_tests.reports.conftest import write_boundaries
from streetineq_tests.reports.pack.conftest import without_results


def test_boundaries_go_with_their_areas_and_centroids_stand_in(results, store):
    boundaries = read_boundaries(write_boundaries(store))
    found = geofiles.geographic(results.areas, boundaries, results.centroids)
    assert found.crs == "EPSG:4326"
    assert set(found[found["city"] == "alpha"].geom_type) == {"Polygon"}
    assert set(found[found["city"] == "beta"].geom_type) == {"Point"}
    row = found[found["city"] == "alpha"].iloc[3]
    (own,) = results.areas.query("city == 'alpha' and area == @row.area").to_dict("records")
    assert {name: row[f"crime_{name}"] for name in ("score", "decile", "lower", "fold")} == {
        name: own[name] for name in ("score", "decile", "lower", "fold")
    }
    centroid = results.centroids.set_index("area").loc[row["area"]]
    assert row.geometry.centroid.x == pytest.approx(centroid["lon"], abs=1e-5)
    assert row.geometry.centroid.y == pytest.approx(centroid["lat"], abs=1e-5)


def test_an_area_is_one_row_however_many_outcomes_it_has():
    areas = pd.DataFrame(
        {
            "city": ["x", "x", "y", "x", "y"],
            "outcome": ["crime", "crime", "crime", "mean_income", "education"],
            "area": ["E1", "E2", "E1", "E2", "E3"],
            "decile": [1, 2, 3, 4, 5],
            "score": [0.1, 0.2, 0.3, 0.4, 0.5],
            "is_published": [True, False, True, False, True],
        }
    ).astype({"decile": "int8"})
    wide = geofiles.by_area(areas)
    missing = -1
    expected = {
        "city": ["x", "x", "y", "y"],
        "area": ["E1", "E2", "E1", "E3"],
        "crime_decile": [1, 2, 3, missing],
        "mean_income_decile": [missing, 4, missing, missing],
        "education_decile": [missing, missing, missing, 5],
    }
    assert wide[list(expected)].fillna(missing).to_dict("list") == expected
    assert wide.set_index(["city", "area"]).loc[("x", "E2"), "mean_income_score"] == 0.4
    assert wide["crime_decile"].dtype == "Int8"
    assert wide["mean_income_is_published"].dtype == "boolean"
    assert wide["mean_income_is_published"].fillna(True).tolist() == [True, False, True, True]
    assert len(wide.columns) == 2 + 3 * 3


def test_all_outcomes_side_by_side(results):
    """Without a warning of pandas', which is an error here."""
    areas = pd.concat([results.areas.assign(outcome=outcome) for outcome in OUTCOMES])
    wide = geofiles.by_area(areas)
    assert wide.shape == (72, 2 + len(OUTCOMES) * (len(LSOA_PREDICTIONS) - 3))
    assert wide.columns.tolist() == geofiles.wide_schema(list(OUTCOMES)).names


def test_areas_without_any_geometry_keep_their_rows(results):
    found = geofiles.geographic(results.areas, None, results.centroids.iloc[5:])
    assert found.geometry.isna().sum() == 5
    assert len(found) == len(results.areas)


def test_boundaries_of_another_crs_are_put_into_degrees(results, store):
    metres = read_boundaries(write_boundaries(store))
    degrees = metres.to_crs("EPSG:4326")
    one = geofiles.geographic(results.areas, metres, results.centroids)
    other = geofiles.geographic(results.areas, degrees, results.centroids)
    np.testing.assert_allclose(one.geometry.bounds, other.geometry.bounds, atol=1e-9)


def test_the_wide_schema_names_the_outcome_and_allows_gaps():
    wide = geofiles.wide_schema(["crime", "mean_income"])
    assert wide.names[:2] == ["city", "area"]
    assert len(wide) == 2 + 2 * (len(LSOA_PREDICTIONS) - 3)
    field = wide.field("mean_income_upper")
    assert field.nullable
    assert tables.descriptions(wide)["mean_income_upper"].startswith("Mean income: ")


def test_points_are_drawn_as_markers():
    assert 'type="marker"' in decile_style("crime_decile", of_points=True)
    assert 'type="marker"' not in decile_style("crime_decile", of_points=False)


def test_no_area_gives_empty_files(material, tmp_path):
    given = without_results(material)
    files = geofiles.write_maps(given, tmp_path)
    assert gpd.read_parquet(tmp_path / "lsoa_map.parquet").empty
    parquet, package = (file.columns.names for file in files)
    assert parquet == pq.read_schema(tmp_path / "lsoa_map.parquet").names
    assert parquet == ["city", "area", "geometry", "bbox"]
    with closing(sqlite3.connect(tmp_path / "lsoa_map.gpkg")) as database:
        assert [r[1] for r in database.execute("PRAGMA table_info(lsoa_map)")] == package
        assert database.execute("SELECT count(*) FROM layer_styles").fetchall() == [(0,)]


@pytest.mark.slow
def test_a_geopackage_says_the_same_whichever_sqlite_gdal_gets(tmp_path):
    """TensorFlow brings one of its own, which GDAL gets when it is imported later."""
    program = """
import datetime, pathlib, sys
for name in sys.argv[2:]:
    __import__(name)
import geopandas, shapely
from streetineq_assets.reports.pack import geofiles
codes = [f"E01{n:06d}" for n in range(50)]
shapes = [shapely.box(n, 50, n + 1, 51) for n in range(50)]
frame = geopandas.GeoDataFrame({"city": "a", "area": codes}, geometry=shapes, crs="EPSG:4326")
geofiles._write_geopackage(frame, [], datetime.date(2018, 1, 1), pathlib.Path(sys.argv[1]))
"""
    files = [tmp_path / "first.gpkg", tmp_path / "second.gpkg"]
    for file, before in zip(files, ((), ("tensorflow",)), strict=True):
        subprocess.run([sys.executable, "-c", program, str(file), *before], check=True)
    first, second = ("\n".join(sqlite3.connect(file).iterdump()) for file in files)
    assert first == second
    assert "E01000049" in first
