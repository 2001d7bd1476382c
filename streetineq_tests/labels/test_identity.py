"""The same numbers in any layout give the same labels, byte for byte."""

import duckdb
import pytest

from streetineq_assets.labels.labelling import build_tables
from streetineq_assets.labels.postcode_directory import find_directory
from streetineq_assets.labels.postcodes import city_areas, write_postcodes
from streetineq_assets.labels.sources import find_sources, read_sources
from streetineq_tests.labels import official
from streetineq_tests.labels.official_study import STUDIED

FILES = ("lsoa_labels.parquet", "decile_edges.parquet", "availability.parquet")


def bulk(inputs):
    for table in ("QS302EW", "KS403EW", "KS601EW", "QS501EW"):
        text = official.nomis_bulk(table, by_sex=table == "KS601EW")
        official.write(inputs / "census" / f"{table}.csv", text)
    official.write(inputs / "iod" / "f.csv.gz", official.file_7(whole=False), packed=True)
    official.write(inputs / "household_income" / "g.csv", official.income_csv(sign="£"))
    official.write(inputs / "onspd" / "d.csv", official.directory("2025"))


def legacy(inputs):
    official.write(inputs / "census" / "x.csv", official.infuse(), encoding="latin-1")
    (inputs / "iod").mkdir()
    official.file_7_workbook(inputs / "iod" / "f.xlsx")
    (inputs / "household_income").mkdir()
    official.income_workbook(inputs / "household_income" / "g.xlsx")
    official.write(inputs / "onspd" / "d.csv.gz", official.directory("2012"), packed=True)


def written(inputs, tmp_path):
    target, folder = tmp_path / "postcode_lsoa.parquet", tmp_path / "tables"
    folder.mkdir()
    with duckdb.connect() as connection:
        directory = find_directory(inputs / "onspd")
        write_postcodes(connection, directory, official.AUTHORITIES, target)
        areas = city_areas(connection, target)
    values = read_sources(find_sources(inputs))
    build_tables(values, areas, STUDIED).write(folder)
    return {name: (folder / name).read_bytes() for name in FILES}


@pytest.mark.parametrize("layout", [bulk, legacy])
def test_layouts(tmp_path, layout):
    (tmp_path / "usual").mkdir()
    (tmp_path / "other").mkdir()
    layout(tmp_path / "other" / "inputs")
    usual = written(official.write_inputs(tmp_path / "usual" / "inputs"), tmp_path / "usual")
    assert written(tmp_path / "other" / "inputs", tmp_path / "other") == usual
