"""The dictionary has a row for each column of each file, and no other."""

import sqlite3
from contextlib import closing

import pandas as pd
import pyarrow.parquet as pq
import pytest

from streetineq_assets.tables import description_and_unit
from streetineq_tests.reports.pack.conftest import cells


def columns_of(file) -> list[str]:
    """The columns as another program finds them."""
    if file.suffix == ".csv":
        return pd.read_csv(file, nrows=0).columns.tolist()
    if file.suffix == ".parquet":
        return pq.read_schema(file).names
    with closing(sqlite3.connect(file)) as database:
        return [row[1] for row in database.execute("PRAGMA table_info(lsoa_map)")]


def test_it_covers_exactly_the_columns_of_every_file(pack):
    dictionary = cells(pack, "data_dictionary.csv")
    files = {f.name: f for f in pack.iterdir() if f.suffix in (".csv", ".parquet", ".gpkg")}
    assert set(dictionary["file"]) == set(files)
    for name, file in files.items():
        listed = dictionary.loc[dictionary["file"] == name, "column"].tolist()
        assert listed == columns_of(file), name


def test_every_column_has_a_meaning_and_a_type(pack):
    dictionary = cells(pack, "data_dictionary.csv")
    assert (dictionary["description"] != "").all()
    assert (dictionary["type"] != "").all()
    assert set(dictionary["nullable"]) == {"True", "False"}


@pytest.mark.parametrize("name", ["lsoa_predictions.parquet", "lsoa_map.parquet"])
def test_it_says_what_the_parquet_file_says(pack, name):
    dictionary = cells(pack, "data_dictionary.csv").query("file == @name")
    fields = pq.read_schema(pack / name)
    for row in dictionary.itertuples():
        field = fields.field(row.column)
        assert (row.description, row.unit) == description_and_unit(field)
        assert row.type == str(field.type)
        assert row.nullable == str(field.nullable)
