"""Schemas of the platform's tables: name, type, meaning and unit of every column, in one form.

A schema is PyArrow's own, with the description and the unit in each field's metadata. From it come
the empty table of what is unavailable, the cast of a frame to its published types, the columns that
the UI shows, the comments of the warehouse and the data dictionary. It is written into the Parquet
file, so that a file that was passed on still explains itself. pandera was looked at: it validates
values, which the checks do, and keeps no unit.

Every table is read here: `read` for pandas, `view` for DuckDB. Both libraries would take what
the names of folders say for data (`city=leeds/` as a column, `[x]` as a pattern). Here a table is
what stands in its file, wherever the study lies.
"""

import re
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from streetineq_assets.area_vintages import EARLIER_NAMES
from streetineq_assets.errors import StoreError

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

Origins = Mapping[str, Sequence[tuple[str, str]]]
"""Column to the columns that it is made of: asset and name. What others publish counts too."""

_DESCRIPTION, _UNIT = b"description", b"unit"


def column(
    name: str, kind: str | pa.DataType, description: str, *, unit: str = "", nullable: bool = False
) -> pa.Field:
    """One column.

    Args:
        kind: Arrow's type or its name, such as `string`, `int16`, `float64`, `timestamp[ms]`
            (Parquet knows no coarser one).
        description: a phrase for a reader of the table, without the unit.
        unit: of the values, such as `metres`; empty for codes, names, keys and counts.
        nullable: whether a value may be missing. NaN is a missing value.
    """
    dtype = kind if isinstance(kind, pa.DataType) else pa.type_for_alias(kind)
    about = {_DESCRIPTION: description.encode(), _UNIT: unit.encode()}
    return pa.field(name, dtype, nullable=nullable, metadata=about)


def schema(*columns: pa.Field) -> pa.Schema:
    """A table's columns, in order.

    Raises:
        ValueError: a name occurs twice: a mistake of the program.
    """
    names = [field.name for field in columns]
    if len(set(names)) < len(names):
        raise ValueError(f"a column occurs twice among {', '.join(names)}")
    return pa.schema(columns)


def described(fields: pa.Schema) -> Iterator[tuple[pa.Field, str]]:
    """Each column with its description and unit in one phrase."""
    for field in fields:
        text, unit = description_and_unit(field)
        yield field, f"{text} ({unit})" if unit else text


def description_and_unit(field: pa.Field) -> tuple[str, str]:
    """What a column means, and the unit of its values; empty where nothing says so."""
    about = field.metadata or {}
    return about.get(_DESCRIPTION, b"").decode(), about.get(_UNIT, b"").decode()


def descriptions(fields: pa.Schema) -> dict[str, str]:
    """Column to description and unit."""
    return {field.name: text for field, text in described(fields)}


def conform(frame: "pd.DataFrame", fields: pa.Schema) -> "pd.DataFrame":
    """The schema's columns of a frame, in its order and of its types.

    Raises:
        KeyError: the frame lacks a column: a mistake of the program, not of the input.
    """
    types = {field.name: _pandas_type(field) for field in fields}
    return frame[list(types)].astype(types).reset_index(drop=True)


def empty(fields: pa.Schema) -> "pd.DataFrame":
    """The table without rows."""
    import pandas as pd

    return conform(pd.DataFrame(columns=fields.names), fields)


def write(frame: "pd.DataFrame", fields: pa.Schema, path: Path) -> None:
    """Write a frame as a Parquet file that carries the schema.

    Raises:
        KeyError: as `conform`.
        ValueError: a value is missing where the schema does not allow it: a mistake of the program.
    """
    import pyarrow.parquet as pq

    table = pa.Table.from_pandas(conform(frame, fields), schema=fields, preserve_index=False)
    pq.write_table(table, path)


def describe_columns(path: Path, fields: pa.Schema) -> None:
    """Put a schema into a Parquet file that another library wrote; other metadata stays.

    Raises:
        ValueError: the file has other columns than the schema: a mistake of the program.
    """
    import pyarrow.parquet as pq

    table = pq.ParquetFile(path).read()
    pq.write_table(table.cast(fields.with_metadata(table.schema.metadata)), path)


def read(
    path: Path,
    columns: list[str] | None = None,
    filters: Sequence[tuple[str, str, Any]] | None = None,
) -> "pd.DataFrame":
    """A Parquet file as a frame, its columns under their present names.

    Args:
        columns: those that are read; by default all.
        filters: conditions `(column, operator, value)` that all rows meet.

    Raises:
        ArrowInvalid: it is no Parquet file, or lacks a column.
    """
    import pandas as pd

    stored = {name: old for old, name in _present_names(path).items()}
    frame = pd.read_parquet(
        path,
        columns=columns and [stored.get(name, name) for name in columns],
        filters=filters and [(stored.get(name, name), *rest) for name, *rest in filters],
        partitioning=None,
    )
    return frame.rename(columns={old: name for name, old in stored.items()})


def column_names(path: Path) -> list[str]:
    """The columns of a Parquet file by their present names, in order.

    Raises:
        ArrowInvalid: it is no Parquet file.
    """
    return list(_present_names(path).values())


def is_by_area(path: Path) -> bool:
    """Whether a Parquet file has areas; one that cannot be read has none that could be joined."""
    try:
        return "area" in column_names(path)
    except pa.ArrowInvalid:
        return False


def _present_names(path: Path) -> dict[str, str]:
    """What the columns of a file are called in it, and now."""
    import pyarrow.parquet as pq

    stored = pq.read_schema(path).names
    present = {old: name for name, old in EARLIER_NAMES.items() if name not in stored}
    return {name: present.get(name, name) for name in stored}


@contextmanager
def view(connection: "duckdb.DuckDBPyConnection", name: str, path: Path) -> Generator[None]:
    """Let SQL call a Parquet file by a name, for a while, and its columns by their present names.

    Raises:
        StoreError: as `engine_path`.
    """
    table = connection.read_parquet(engine_path(path), hive_partitioning=False)
    columns = (f'"{old}" AS "{new}"' for old, new in _present_names(path).items())
    table.project(", ".join(columns)).create_view(name, replace=False)
    try:
        yield
    finally:
        connection.execute(f'DROP VIEW "{name}"')


def engine_path(path: Path) -> str:
    """A path as DuckDB takes it, to which `*`, `?` and `[` are a pattern of names.

    Raises:
        StoreError: a backslash is in it, which DuckDB takes for the end of a folder's name.
    """
    if "\\" in path.as_posix():
        raise StoreError(f"{path}: DuckDB opens no path with a backslash: rename that folder")
    return re.sub(r"[\[\]*?]", r"[\g<0>]", path.as_posix())


def _pandas_type(field: pa.Field) -> str:
    """The pandas type of a column: nullable numbers and flags only where values may miss."""
    kind = field.type
    if pa.types.is_string(kind):
        return "str"
    if pa.types.is_binary(kind):
        return "object"
    if pa.types.is_temporal(kind):
        return f"datetime64[{getattr(kind, 'unit', 's')}]"
    if pa.types.is_integer(kind) and field.nullable:
        return str(kind).replace("int", "Int").replace("uI", "UI")
    if pa.types.is_boolean(kind) and field.nullable:
        return "boolean"
    return {"double": "float64", "float": "float32"}.get(str(kind), str(kind))
