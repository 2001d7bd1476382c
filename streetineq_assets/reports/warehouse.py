"""The warehouse: one DuckDB file with a view over every published Parquet table.

What belongs here: finding the tables, the views and their comments. What does not: any data. The
views read the artefacts as they are when they are asked, so the file need not be made again when
an upstream is; only a new kind of table, or a study that moved, asks for that.

A view globs over an asset's folders, and shows only the files that a manifest names: while an
artefact is being replaced, and after a crash, its folder may hold another generation or a draft.
The manifest also tells of which partition a row is.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from streetineq_assets.digests import digest_file
from streetineq_assets.errors import StoreError
from streetineq_assets.store import DataStore

if TYPE_CHECKING:
    import duckdb

WAREHOUSE_FILE = "streetineq.duckdb"
PARTITION = "partition_key"
_ADDED = {PARTITION: "partition of the asset that holds the row: a city or city/outcome, or null"}


@dataclass(frozen=True)
class View:
    """One view: a table's name, the asset that holds it, its columns' descriptions.

    Attributes:
        name: of the view; the Parquet file's stem, unless another asset's has the same.
        asset, stem: `assets/<asset>/**/<stem>.parquet`.
        description: one sentence.
        columns: column to description; columns that it lacks stay without a comment.
    """

    name: str
    asset: str
    stem: str
    description: str
    columns: Mapping[str, str]


def build_warehouse(store: DataStore, views: list[View], path: Path) -> dict[str, int]:
    """Write the database, and ask each view how many rows it shows.

    Returns:
        Name of the view to number of rows, of those that have any file; the others are left out.

    Raises:
        StoreError: a view cannot be read, as when two files of one table do not fit together.
    """
    import duckdb

    rows = {}
    with duckdb.connect(path) as connection:
        for view in views:
            if not store.files_of(view.asset, f"{view.stem}.parquet"):
                continue
            try:
                connection.execute(_definition(store, view))
                ((count,),) = connection.table(f'"{view.name}"').count("*").fetchall()
            except duckdb.Error as error:
                raise StoreError(
                    f"the tables of {view.asset} cannot be read as one ({error}): materialise all "
                    f"partitions of {view.asset} again"
                ) from error
            _comment(connection, view)
            rows[view.name] = count
    return rows


def digests(store: DataStore, views: list[View]) -> dict[str, str]:
    """View to digest of the files that it shows now, of those that have any."""
    found = {}
    for view in views:
        files = store.files_of(view.asset, f"{view.stem}.parquet")
        if files:
            told = [f"{path.relative_to(store.root)} {digest_file(path)}" for path in files]
            found[view.name] = hashlib.sha256("\n".join(told).encode()).hexdigest()
    return found


def content_digest(store: DataStore, views: list[View]) -> str:
    """sha256 of what the views say and show; a database's own bytes differ from run to run."""
    told = [_definition(store, view) + repr(view) for view in views]
    told += [f"{name} {digest}" for name, digest in digests(store, views).items()]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()


def _definition(store: DataStore, view: View) -> str:
    """SQL of a view. A view keeps its text, so what would be a parameter is quoted into it."""
    base = re.sub(r"[\[\]*?]", r"[\g<0>]", store.folder(view.asset).as_posix())
    tables = _quoted(f"{base}/**/{view.stem}.parquet")
    manifests = _quoted(f"{base}/**/manifest.json")
    return f"""
        CREATE VIEW "{view.name}" AS
        SELECT tables.* EXCLUDE (filename), manifests.{PARTITION}
        FROM read_parquet({tables}, union_by_name = true, filename = true) AS tables
        JOIN (
            SELECT
                "partition" AS {PARTITION},
                concat_ws(
                    '/', parse_dirpath(filename), nullif(generation, ''), '{view.stem}.parquet'
                ) AS file
            FROM read_json(
                {manifests},
                filename = true,
                columns = {{partition: 'VARCHAR', generation: 'VARCHAR'}}
            )
        ) AS manifests ON tables.filename = manifests.file
    """  # noqa: S608 - names are constants of this package, the path is quoted


def _comment(connection: "duckdb.DuckDBPyConnection", view: View) -> None:
    connection.execute(f'COMMENT ON VIEW "{view.name}" IS {_quoted(view.description)}')
    present = {name for name, *_ in connection.execute(f'DESCRIBE "{view.name}"').fetchall()}
    for column, text in {**view.columns, **_ADDED}.items():
        if column in present:
            connection.execute(f'COMMENT ON COLUMN "{view.name}"."{column}" IS {_quoted(text)}')


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
