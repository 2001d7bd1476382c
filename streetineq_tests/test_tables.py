"""One form for every schema: casts, empty tables, files that explain themselves."""

import re
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import streetineq_assets
from streetineq_assets import tables
from streetineq_assets.errors import StoreError
from streetineq_assets.tables import column, schema
from streetineq_tests.folder_names import FOLDER_NAMES

LSOAS = schema(
    column("area", "string", "LSOA of 2011"),
    column("decile", "int8", "within the city", nullable=True),
    column("n", "int32", "locations"),
    column("score", "float32", "mean score", unit="logit", nullable=True),
    column("is_known", "bool", "whether it is known"),
    column("is_sure", "bool", "whether it is sure", nullable=True),
    column("captured_at", "timestamp[ms]", "day of the images", nullable=True),
)
FRAME = pd.DataFrame(
    {
        "n": [1, 2],
        "score": [0.5, np.nan],
        "is_known": [True, False],
        "is_sure": [False, pd.NA],
        "captured_at": [pd.Timestamp("2016-07-21"), pd.NaT],
        "area": ["E01000001", "E01000002"],
        "decile": [3, pd.NA],
        "aside": ["not", "published"],
    }
)


def test_a_frame_gets_the_schemas_columns_order_and_types():
    frame = tables.conform(FRAME, LSOAS)
    assert frame.dtypes.astype(str).to_dict() == {
        "area": "str",
        "decile": "Int8",
        "n": "int32",
        "score": "float32",
        "is_known": "bool",
        "is_sure": "boolean",
        "captured_at": "datetime64[ms]",
    }


def test_an_empty_table_has_the_types_of_a_full_one():
    assert tables.empty(LSOAS).dtypes.equals(tables.conform(FRAME, LSOAS).dtypes)
    assert tables.empty(LSOAS).empty


def test_a_file_carries_types_descriptions_and_units(tmp_path):
    path = tmp_path / "lsoas.parquet"
    tables.write(FRAME, LSOAS, path)
    written = pq.read_schema(path)
    assert written.types == LSOAS.types
    assert tables.descriptions(written) == tables.descriptions(LSOAS)
    assert tables.descriptions(written)["score"] == "mean score (logit)"
    assert [field.nullable for field in written] == [False, True, False, True, False, True, True]
    pd.testing.assert_frame_equal(pd.read_parquet(path), tables.conform(FRAME, LSOAS))


def test_the_same_table_gives_the_same_bytes(tmp_path):
    one, two = tmp_path / "one.parquet", tmp_path / "two.parquet"
    tables.write(FRAME, LSOAS, one)
    tables.write(FRAME.sample(frac=1, axis=1, random_state=1), LSOAS, two)
    assert one.read_bytes() == two.read_bytes()


def test_a_missing_value_where_none_may_be_is_a_mistake_of_the_program(tmp_path):
    spoilt = FRAME.assign(area=["E01000001", None])
    with pytest.raises(ValueError, match="area"):
        tables.write(spoilt, LSOAS, tmp_path / "lsoas.parquet")
    with pytest.raises(KeyError, match="decile"):
        tables.conform(FRAME.drop(columns="decile"), LSOAS)


def test_a_column_occurs_once():
    with pytest.raises(ValueError, match="twice"):
        schema(column("a", "string", ""), column("a", "int8", ""))


@settings(max_examples=25, deadline=None)
@given(names=st.lists(FOLDER_NAMES, min_size=1, max_size=3))
@example(names=["city=northmere", "decile=7"])
@example(names=["**", "[!a]", "a?"])
@example(names=["it's 100%", "-x", "x" * 190])
def test_the_names_of_folders_are_no_data_and_no_pattern(names):
    with TemporaryDirectory() as root:
        path = Path(root, *names, "lsoas.parquet")
        path.parent.mkdir(parents=True)
        tables.write(FRAME, LSOAS, path)
        pd.testing.assert_frame_equal(tables.read(path), tables.conform(FRAME, LSOAS))
        few = tables.read(path, ["n"], [("area", "==", "E01000002")])
        assert few.to_dict("list") == {"n": [2]}
        with duckdb.connect() as connection:
            with tables.view(connection, "lsoas", path):
                view = connection.table("lsoas")
                assert view.columns == LSOAS.names
                deciles = view.project("area, decile").fetchall()
                assert deciles == [("E01000001", 3), ("E01000002", None)]
            assert connection.execute("SHOW TABLES").fetchall() == []


def test_a_view_is_of_the_file_alone(tmp_path):
    """`[ab]` would otherwise be read as the folders a and b."""
    with duckdb.connect() as connection:
        for folder, n in {"a": 1, "b": 2, "[ab]": 3}.items():
            path = tmp_path / folder / "lsoas.parquet"
            path.parent.mkdir()
            tables.write(FRAME.assign(n=n), LSOAS, path)
            with tables.view(connection, "lsoas", path):
                assert connection.table("lsoas").max("n").fetchall() == [(n,)]


def test_a_backslash_in_a_path_is_named(tmp_path):
    with pytest.raises(StoreError, match=r"London\\study.*backslash.*rename"):
        tables.engine_path(tmp_path / "London\\study" / "a.parquet")


def test_tables_are_read_in_one_place():
    """Another reader would have to switch off what engines take from paths as well.

    What people bring is read by pyarrow's file, which takes nothing from its path.
    """
    package = Path(streetineq_assets.__file__).parent
    readers = r"read_parquet|parquet_scan|read_table\b|ParquetFile|ParquetDataset|pyarrow\.dataset"
    readers += r"|(?:FROM|JOIN)\s+'"
    found = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if re.search(readers, path.read_text(encoding="utf-8"))
    }
    assert found == {"tables.py", "reports/view_sql.py", "codes/importing/parquet_vectors.py"}


def test_whatever_the_engine_reads_by_path_takes_no_column_from_it():
    package = Path(streetineq_assets.__file__).parent
    for path in package.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        reads = len(re.findall(r"\bread_(?:csv|json|parquet)\((?!\))", text))
        refused = len(re.findall(r"hive_partitioning ?= ?[fF]alse|partitioning=None", text))
        pandas_only = len(re.findall(r"pd\.read_csv\(", text))
        assert refused == reads - pandas_only, path
