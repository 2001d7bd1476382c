"""Asking the warehouse: SQL in, a table as text or as a CSV file out.

A query only reads. Its statement has to be a SELECT; and as DuckDB takes a COPY inside of one, the
engine is locked out of all files before it sees the statement. The tables that it needs are read
into memory before that.
"""

import contextlib
import io
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from streetineq_assets.errors import StoreError, StreetineqError
from streetineq_assets.reports import warehouse
from streetineq_assets.reports.exports import write_csv
from streetineq_assets.reports.questions import QUESTIONS
from streetineq_assets.reports.view_sql import ASSET, WAREHOUSE_FILE
from streetineq_assets.store import DataStore

if TYPE_CHECKING:
    import duckdb

MOST_ROWS = 100
Result = TypeVar("Result")


class QueryError(StreetineqError):
    """DuckDB refused a statement."""


def answer(store: DataStore, sql: str) -> str:
    """What the warehouse answers, drawn as a table.

    Of more than `MOST_ROWS` rows the first and the last are shown, and of a wide table the outer
    columns; `save_answer` writes all of them.

    Raises:
        StoreError: there is no warehouse, or it is not one of the study as it is.
        QueryError: the statement is wrong, or does anything but read.
    """
    return _answered(store, sql, _drawn)


def save_answer(store: DataStore, sql: str, target: Path) -> int:
    """Write all that the warehouse answers as CSV, as `exports.write_csv`; returns how many rows.

    Raises:
        StoreError, QueryError: as `answer`.
    """
    import pandas as pd

    arrow = _answered(store, sql, lambda table: table.to_arrow_table())
    write_csv(arrow.to_pandas(types_mapper=pd.ArrowDtype), target, float_format=None)
    return arrow.num_rows


def _answered(
    store: DataStore, sql: str, use: Callable[["duckdb.DuckDBPyRelation"], Result]
) -> Result:
    import duckdb

    file = _warehouse_file(store)
    try:
        _require_one_select(sql)
        try:
            return _locked_out(store, file, sql, use, read_first=False)
        except duckdb.PermissionException:  # it asks for more than the names of tables
            return _locked_out(store, file, sql, use, read_first=True)
    except duckdb.Error as error:
        raise QueryError(_one_sentence(error)) from error


def _warehouse_file(store: DataStore) -> Path:
    if store.manifest(ASSET) is None:
        raise StoreError(
            f"{store.root} has no warehouse yet: `streetineq run` makes it after all that it "
            "shows; in the UI, materialise warehouse"
        )
    disagreement = warehouse.disagreement(store)
    if disagreement:
        raise StoreError(disagreement)
    return store.open(ASSET).file(WAREHOUSE_FILE)


def _require_one_select(sql: str) -> None:
    import duckdb

    kinds = [statement.type.name for statement in duckdb.extract_statements(sql)]
    if not kinds:
        raise QueryError("the statement is empty: try 'SHOW TABLES'")
    if kinds != ["SELECT"]:
        raise QueryError(
            f"{' and '.join(kinds)} is refused: the warehouse is read-only and answers one "
            "SELECT, FROM, SHOW or DESCRIBE; `--csv FILE` writes the whole answer"
        )


def _locked_out(
    store: DataStore,
    file: Path,
    sql: str,
    use: Callable[["duckdb.DuckDBPyRelation"], Result],
    *,
    read_first: bool,
) -> Result:
    """Run a statement in an engine that can open no file.

    Args:
        read_first: read the views that the statement names into tables of the session, which hide
            them. The catalogue would list both, so what asks the catalogue alone goes without.
    """
    import duckdb

    with duckdb.connect(str(file), read_only=True) as connection:
        warehouse.look_into(connection, store)
        views = connection.execute("SHOW TABLES").fetchall() if read_first else []
        words = set(re.findall(r"\w+", sql.casefold()))
        for (name,) in views:
            if name in words:
                connection.execute(f'CREATE TEMP TABLE "{name}" AS FROM "{name}"')
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        return use(connection.sql(sql))


def _drawn(table: "duckdb.DuckDBPyRelation") -> str:
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        table.show(max_rows=MOST_ROWS, max_width=shutil.get_terminal_size((120, 0)).columns)
    return text.getvalue().rstrip()


def _one_sentence(error: Exception) -> str:
    """DuckDB's message without the statement that it repeats with a mark below."""
    sentence = " ".join(str(error).split("\n\nLINE ", 1)[0].split())
    unanswered = (each for each in QUESTIONS if f" {each.name} " in sentence)
    advice = {
        "Catalog Error": "; 'SHOW TABLES' lists the tables"
        + "".join(f"; {each.name} needs {' and '.join(each.needs)}" for each in unanswered),
        "Permission Error": "; a query reads tables of the warehouse, by their plain names, alone",
    }
    return sentence + advice.get(sentence.split(":", 1)[0], "")
