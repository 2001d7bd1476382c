"""Files for other tools: a CSV that reads back, a GeoParquet with outlines or points."""

import geopandas as gpd
import pandas as pd
import pytest

from streetineq_assets.geography import read_boundaries
from streetineq_assets.predictions.tables import LSOA_PREDICTIONS
from streetineq_assets.reports import exports
from streetineq_assets.tables import empty
from streetineq_tests.reports.conftest import write_boundaries


def test_the_csv_reads_back(gathered, tmp_path):
    exports.write_csv(gathered.areas, tmp_path / "a.csv")
    back = pd.read_csv(tmp_path / "a.csv", dtype={"lsoa11": "str"})
    assert back.columns.tolist() == LSOA_PREDICTIONS.names
    assert back["decile"].tolist() == gathered.areas["decile"].tolist()
    assert back["score"].to_numpy() == pytest.approx(gathered.areas["score"].to_numpy(), rel=1e-5)


def test_outlines_go_with_their_areas_and_points_stand_in(gathered, store, tmp_path):
    outlines = read_boundaries(write_boundaries(store))
    path = tmp_path / "a.parquet"
    lost = exports.write_geoparquet(gathered.areas, outlines, gathered.positions, path)
    back = gpd.read_parquet(path)
    assert lost == 0
    assert back.crs == "EPSG:4326"
    assert set(back[back["city"] == "alpha"].geom_type) == {"Polygon"}
    assert set(back[back["city"] == "beta"].geom_type) == {"Point"}
    row = back[back["city"] == "alpha"].iloc[3]
    place = gathered.positions.set_index("lsoa11").loc[row["lsoa11"]]
    assert row.geometry.centroid.x == pytest.approx(place["lon"], abs=1e-5)
    assert row.geometry.centroid.y == pytest.approx(place["lat"], abs=1e-5)


def test_areas_without_any_place_are_counted(gathered, tmp_path):
    path = tmp_path / "a.parquet"
    fewer = gathered.positions.iloc[5:]
    assert exports.write_geoparquet(gathered.areas, None, fewer, path) == 5
    assert len(gpd.read_parquet(path)) == len(gathered.areas)


def test_no_area_gives_empty_files(gathered, tmp_path):
    none = empty(LSOA_PREDICTIONS)
    assert exports.write_geoparquet(none, None, gathered.positions, tmp_path / "a.parquet") == 0
    assert gpd.read_parquet(tmp_path / "a.parquet").empty
