"""Asking the warehouse: SQL in, a table as text out."""

import contextlib
import io
import shutil
from typing import TYPE_CHECKING

from streetineq_assets.errors import StoreError, StreetineqError
from streetineq_assets.reports.warehouse import WAREHOUSE_FILE
from streetineq_assets.store import DataStore

if TYPE_CHECKING:
    import duckdb

MOST_ROWS = 100


class QueryError(StreetineqError):
    """DuckDB refused a statement."""


def answer(store: DataStore, sql: str) -> str:
    """What the warehouse answers, drawn as a table; the database is opened read-only.

    Of more than `MOST_ROWS` rows the first and the last are shown, and of a wide table the outer
    columns; `COPY (...) TO 'file.csv'` writes all of them.

    Raises:
        StoreError: there is no warehouse, or it shows the files of another folder.
        QueryError: the statement is wrong, or would change the database.
    """
    import duckdb

    warehouse = store.open("warehouse")
    made_in = warehouse.manifest.recipe.config.get("root")
    if made_in not in (None, str(store.root)):
        raise StoreError(
            f"this warehouse shows the study in {made_in}, of which {store.root} is a copy: "
            "materialise warehouse again"
        )
    with duckdb.connect(str(warehouse.file(WAREHOUSE_FILE)), read_only=True) as connection:
        try:
            table = connection.sql(sql)
            if table is None:
                raise QueryError("the statement is empty: try 'SHOW TABLES'")
            return _drawn(table)
        except duckdb.Error as error:
            raise QueryError(_one_sentence(error)) from error


def _drawn(table: "duckdb.DuckDBPyRelation") -> str:
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        table.show(max_rows=MOST_ROWS, max_width=shutil.get_terminal_size((120, 0)).columns)
    return text.getvalue().rstrip()


def _one_sentence(error: Exception) -> str:
    """DuckDB's message without the statement that it repeats with a mark below."""
    sentence = " ".join(str(error).split("\n\nLINE ", 1)[0].split())
    known = "; 'SHOW TABLES' lists the tables" if sentence.startswith("Catalog Error") else ""
    return sentence + known
