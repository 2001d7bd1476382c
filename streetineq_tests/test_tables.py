"""One form for every schema: casts, empty tables, files that explain themselves."""

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from streetineq_assets import tables
from streetineq_assets.tables import column, schema

LSOAS = schema(
    column("lsoa11", "string", "LSOA of 2011"),
    column("decile", "int8", "within the city", nullable=True),
    column("n", "int32", "locations"),
    column("score", "float32", "mean score", unit="logit", nullable=True),
    column("captured_at", "timestamp[ms]", "day of the images", nullable=True),
)
FRAME = pd.DataFrame(
    {
        "n": [1, 2],
        "score": [0.5, np.nan],
        "captured_at": [pd.Timestamp("2016-07-21"), pd.NaT],
        "lsoa11": ["E01000001", "E01000002"],
        "decile": [3, pd.NA],
        "aside": ["not", "published"],
    }
)


def test_a_frame_gets_the_schemas_columns_order_and_types():
    frame = tables.conform(FRAME, LSOAS)
    assert frame.dtypes.astype(str).to_dict() == {
        "lsoa11": "str",
        "decile": "Int8",
        "n": "int32",
        "score": "float32",
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
    assert [field.nullable for field in written] == [False, True, False, True, True]
    pd.testing.assert_frame_equal(pd.read_parquet(path), tables.conform(FRAME, LSOAS))


def test_the_same_table_gives_the_same_bytes(tmp_path):
    one, two = tmp_path / "one.parquet", tmp_path / "two.parquet"
    tables.write(FRAME, LSOAS, one)
    tables.write(FRAME.sample(frac=1, axis=1, random_state=1), LSOAS, two)
    assert one.read_bytes() == two.read_bytes()


def test_a_missing_value_where_none_may_be_is_a_mistake_of_the_program(tmp_path):
    spoilt = FRAME.assign(lsoa11=["E01000001", None])
    with pytest.raises(ValueError, match="lsoa11"):
        tables.write(spoilt, LSOAS, tmp_path / "lsoas.parquet")
    with pytest.raises(KeyError, match="decile"):
        tables.conform(FRAME.drop(columns="decile"), LSOAS)


def test_a_column_occurs_once():
    with pytest.raises(ValueError, match="twice"):
        schema(column("a", "string", ""), column("a", "int8", ""))
