"""Other programs open every file of a pack: pandas, geopandas, DuckDB, SQLite, GDAL."""

import json
import shutil
import sqlite3
import subprocess
from contextlib import closing
from xml.etree import ElementTree as ET

import duckdb
import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from streetineq_assets.plotting import DECILE_COLOURS
from streetineq_assets.reports.pack.tables import AREAS, MEASURES
from streetineq_tests.harness import assert_schema

TABLES = ("lsoa_predictions", "metrics")


@pytest.mark.parametrize("stem", TABLES)
def test_pandas_reads_the_same_from_csv_and_parquet(pack, stem):
    parquet = pd.read_parquet(pack / f"{stem}.parquet")
    text = pd.read_csv(pack / f"{stem}.csv", dtype={"area": "str"})
    assert text.columns.tolist() == parquet.columns.tolist()
    for name in text:
        if pd.api.types.is_numeric_dtype(text[name]):
            found = parquet[name].to_numpy(dtype=float, na_value=np.nan)
            expected = text[name].to_numpy(dtype=float)
            np.testing.assert_allclose(found, expected, rtol=1e-5)
        else:
            assert text[name].astype("str").tolist() == parquet[name].astype("str").tolist()


def test_the_tables_are_those_that_were_published(pack, results):
    found = pd.read_parquet(pack / "lsoa_predictions.parquet")
    assert found["decile"].tolist() == results.areas["decile"].tolist()
    assert found["score"].tolist() == results.areas["score"].tolist()
    assert len(pd.read_csv(pack / "comparisons.csv")) == 8  # four leads of each of two pairs


def test_parquet_explains_itself(pack):
    assert_schema(pack / "lsoa_predictions.parquet", AREAS)
    assert_schema(pack / "metrics.parquet", MEASURES)
    of_map = pq.read_schema(pack / "lsoa_map.parquet")
    about = of_map.field("crime_score").metadata
    assert b"Crime deprivation: " in about[b"description"]
    assert about[b"unit"] == b"logit"


def test_whether_labels_are_modelled_stands_beside_them(pack):
    """All domains of the Indices are estimates; only the shares of the census are counted."""
    assert pd.read_csv(pack / "lsoa_predictions.csv")["is_modelled"].all()
    assert pd.read_csv(pack / "metrics.csv")["is_modelled"].all()


def test_the_map_is_geoparquet_1_1_with_boxes_and_a_crs(pack):
    geo = json.loads(pq.read_schema(pack / "lsoa_map.parquet").metadata[b"geo"])
    column = geo["columns"]["geometry"]
    assert geo["version"] == "1.1.0"
    assert column["encoding"] == "WKB"
    assert column["crs"]["id"] == {"authority": "EPSG", "code": 4326}
    assert column["covering"]["bbox"]["xmin"] == ["bbox", "xmin"]
    assert set(column["geometry_types"]) == {"Point", "Polygon"}


def test_geopandas_reads_the_same_from_both_maps(pack):
    parquet = gpd.read_parquet(pack / "lsoa_map.parquet")
    package = gpd.read_file(pack / "lsoa_map.gpkg", layer="lsoa_map")
    assert parquet.crs == package.crs == "EPSG:4326"
    assert parquet["area"].tolist() == package["area"].tolist()
    assert parquet["crime_decile"].tolist() == package["crime_decile"].tolist()
    assert parquet.geometry.geom_equals(package.geometry).all()


def test_areas_are_chosen_by_their_boxes(pack):
    everything = gpd.read_parquet(pack / "lsoa_map.parquet")
    west, south, *_ = everything.total_bounds
    box = (west, south, west + 0.01, south + 0.01)
    some = gpd.read_parquet(pack / "lsoa_map.parquet", bbox=box)
    assert 0 < len(some) < len(everything)
    assert set(some["area"]) == set(everything.cx[west : box[2], south : box[3]]["area"])


def test_duckdb_reads_every_table(pack):
    with duckdb.connect() as connection:
        for file in sorted(pack.iterdir()):
            if file.suffix in (".csv", ".parquet"):
                (n,) = connection.execute(f"SELECT count(*) FROM '{file}'").fetchone()
                assert n == len(read(file)), file.name
        wide = f"SELECT area, crime_decile, bbox.xmin FROM '{pack}/lsoa_map.parquet' LIMIT 1"
        assert connection.execute(wide).fetchone()[0] == "E01000000"


def test_the_readmes_lines_run(pack, monkeypatch):
    monkeypatch.chdir(pack)
    text = (pack / "README.md").read_text()
    blocks = text.split("```")
    for block in blocks:
        if block.startswith("python\n"):
            exec(block.removeprefix("python\n"), {})
        if block.startswith("sql\n"):
            with duckdb.connect() as connection:
                for query in block.removeprefix("sql\n").split(";"):
                    if query.strip():
                        assert connection.execute(query).fetchall()


def read(file):
    return pd.read_csv(file) if file.suffix == ".csv" else pd.read_parquet(file)


# -- GeoPackage ------------------------------------------------------------------------------------


def test_sqlite_finds_a_whole_database(pack):
    with closing(sqlite3.connect(pack / "lsoa_map.gpkg")) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("SELECT count(*) FROM lsoa_map").fetchall() == [(72,)]
        kinds = database.execute("SELECT table_name, data_type, last_change FROM gpkg_contents")
        assert set(kinds.fetchall()) == {
            ("lsoa_map", "features", "2017-08-01T00:00:00.000Z"),
            ("layer_styles", "attributes", "2017-08-01T00:00:00.000Z"),
        }


def test_qgis_finds_a_default_style_of_ten_colours(pack):
    with closing(sqlite3.connect(pack / "lsoa_map.gpkg")) as database:
        rows = database.execute(
            "SELECT f_table_name, f_geometry_column, styleName, useAsDefault, styleQML, "
            "update_time FROM layer_styles"
        ).fetchall()
    ((layer, geometry, name, is_default, qml, time),) = rows
    assert (layer, geometry, name, is_default) == ("lsoa_map", "geom", "Crime deprivation", 1)
    assert time == "2017-08-01T00:00:00.000Z"
    renderer = ET.fromstring(qml).find("renderer-v2")
    assert renderer.attrib["type"] == "categorizedSymbol"
    assert renderer.attrib["attr"] == "crime_decile"
    categories = renderer.findall("categories/category")
    assert [each.attrib["value"] for each in categories] == [*map(str, range(1, 11)), ""]
    fills = [each.attrib["value"] for each in renderer.findall(".//Option[@name='color']")]
    expected = [f"{int(c[1:3], 16)},{int(c[3:5], 16)},{int(c[5:], 16)},255" for c in DECILE_COLOURS]
    assert fills[:10] == expected
    assert {each.attrib["type"] for each in renderer.findall("symbols/symbol")} == {"fill"}


def test_ogrinfo_reads_one_layer_of_shapes(pack):
    ogrinfo = shutil.which("ogrinfo")
    if not ogrinfo:
        pytest.skip("ogrinfo is not installed (Debian's package gdal-bin)")
    command = [ogrinfo, "-ro", "-so", str(pack / "lsoa_map.gpkg"), "lsoa_map"]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "Feature Count: 72" in found.stdout
    assert "WGS 84" in found.stdout
    assert "crime_decile: Integer(Int16)" in found.stdout
    assert "Warning" not in found.stderr
