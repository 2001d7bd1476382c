"""Files for other tools: a CSV that reads back, a GeoParquet with boundaries or points."""

import csv
import re
from pathlib import Path
from tempfile import TemporaryDirectory

import geopandas as gpd
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streetineq_assets import tables
from streetineq_assets.geography import read_boundaries
from streetineq_assets.predictions.tables import LSOA_PREDICTIONS
from streetineq_assets.reports import exports
from streetineq_tests.reports.conftest import write_boundaries


def test_the_csv_reads_back(results, tmp_path):
    exports.write_csv(results.areas, tmp_path / "a.csv")
    back = pd.read_csv(tmp_path / "a.csv", dtype={"lsoa11": "str"})
    assert back.columns.tolist() == LSOA_PREDICTIONS.names
    assert back["decile"].tolist() == results.areas["decile"].tolist()
    assert back["score"].to_numpy() == pytest.approx(results.areas["score"].to_numpy(), rel=1e-5)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"))))
@example(["=1+1", " =1+1", "+44 20", "-x", "@SUM(A1)", "\t=1", "-5", "-0.5", "-", "E01", "", "''="])
def test_no_text_of_a_csv_is_a_formula_and_all_of_it_is_there(cells):
    with TemporaryDirectory() as folder:
        path = Path(folder, "a.csv")
        frame = pd.DataFrame({"text": cells, "number": -1.5}).astype({"text": "str"})
        exports.write_csv(frame, path)
        with path.open(encoding="utf-8", newline="") as file:
            _, *rows = csv.reader(file)
    for cell, (text, number) in zip(cells, rows, strict=True):
        assert number == "-1.5"
        assert text in (cell, "'" + cell)
        assert not text.lstrip().startswith(("=", "+", "-", "@")) or is_number(text)


def is_number(text: str) -> bool:
    return re.fullmatch(r"[+-]?[0-9]+(\.[0-9]+)?", text) is not None


def test_boundaries_go_with_their_areas_and_centroids_stand_in(results, store, tmp_path):
    boundaries = read_boundaries(write_boundaries(store))
    path = tmp_path / "a.parquet"
    assert exports.write_geoparquet(results.areas, boundaries, results.centroids, path) == 0
    back = gpd.read_parquet(path)
    assert back.crs == "EPSG:4326"
    assert set(back[back["city"] == "alpha"].geom_type) == {"Polygon"}
    assert set(back[back["city"] == "beta"].geom_type) == {"Point"}
    row = back[back["city"] == "alpha"].iloc[3]
    (own,) = results.areas.query("city == 'alpha' and lsoa11 == @row.lsoa11").to_dict("records")
    assert {name: row[f"crime_{name}"] for name in ("score", "decile", "lower", "fold")} == {
        name: own[name] for name in ("score", "decile", "lower", "fold")
    }
    centroid = results.centroids.set_index("lsoa11").loc[row["lsoa11"]]
    assert row.geometry.centroid.x == pytest.approx(centroid["lon"], abs=1e-5)
    assert row.geometry.centroid.y == pytest.approx(centroid["lat"], abs=1e-5)


def test_an_area_is_one_row_however_many_outcomes_it_has():
    areas = pd.DataFrame(
        {
            "city": ["x", "x", "y", "x", "y"],
            "outcome": ["crime", "crime", "crime", "mean_income", "education"],
            "lsoa11": ["E1", "E2", "E1", "E2", "E3"],
            "decile": [1, 2, 3, 4, 5],
            "score": [0.1, 0.2, 0.3, 0.4, 0.5],
            "is_published": [True, False, True, False, True],
        }
    ).astype({"decile": "int8"})
    wide = exports.by_area(areas)
    missing = -1
    expected = {
        "city": ["x", "x", "y", "y"],
        "lsoa11": ["E1", "E2", "E1", "E3"],
        "crime_decile": [1, 2, 3, missing],
        "mean_income_decile": [missing, 4, missing, missing],
        "education_decile": [missing, missing, missing, 5],
    }
    assert wide[list(expected)].fillna(missing).to_dict("list") == expected
    assert wide.set_index(["city", "lsoa11"]).loc[("x", "E2"), "mean_income_score"] == 0.4
    assert wide["crime_decile"].dtype == "Int8"
    assert wide["mean_income_is_published"].dtype == "boolean"
    assert wide["mean_income_is_published"].fillna(True).tolist() == [True, False, True, True]
    assert len(wide.columns) == 2 + 3 * 3


def test_areas_without_any_geometry_are_counted(results, tmp_path):
    path = tmp_path / "a.parquet"
    fewer = results.centroids.iloc[5:]
    assert exports.write_geoparquet(results.areas, None, fewer, path) == 5
    assert len(gpd.read_parquet(path)) == len(results.areas)


def test_no_area_gives_empty_files(results, tmp_path):
    none = tables.empty(LSOA_PREDICTIONS)
    assert exports.write_geoparquet(none, None, results.centroids, tmp_path / "a.parquet") == 0
    assert gpd.read_parquet(tmp_path / "a.parquet").empty
