"""The warehouse: one DuckDB file with a view over every published Parquet table.

It holds no data: the views read the artefacts as they stand when asked. So the file need not be
made again when an upstream is, only when the set of views changes or the study is moved.

A view globs over an asset's folders and keeps the files that a manifest names: while an artefact is
being replaced, and after a crash, a folder may hold another generation or a draft. The manifest
also gives the partition of each row.
"""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from streetineq_assets.errors import StoreError
from streetineq_assets.reports.tables import View
from streetineq_assets.store import DataStore
from streetineq_assets.tables import descriptions

if TYPE_CHECKING:
    import duckdb

WAREHOUSE_FILE = "streetineq.duckdb"
PARTITION = "partition_key"
_ADDED = {PARTITION: "partition of the asset that holds the row: a city or city/outcome, or null"}


def build_warehouse(store: DataStore, views: Sequence[View], path: Path) -> dict[str, int]:
    """Write the database, and ask each view how many rows it shows.

    Returns:
        Name of the view to number of rows; views without any published file are left out.

    Raises:
        StoreError: a view cannot be read, as when two files of one table do not fit together.
    """
    import duckdb

    rows = {}
    published = digests(store, views)
    with duckdb.connect(path) as connection:
        for view in views:
            if view.name not in published:
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


def digests(store: DataStore, views: Sequence[View]) -> dict[str, str]:
    """View to digest of what it shows now; views without any published file are left out."""
    assets = {view.asset for view in views}
    manifests = {asset: store.manifests(asset) for asset in assets}
    shown = {}
    for view in views:
        files = [
            f"{manifest.partition} {manifest.files[view.file].sha256}"
            for manifest in manifests[view.asset]
            if view.file in manifest.files
        ]
        if files:
            shown[view.name] = _sha256(files)
    return shown


def content_digest(store: DataStore, views: Sequence[View]) -> str:
    """sha256 of what the views say and show; a database's own bytes differ from run to run."""
    texts = [f"{_definition(store, view)} {view.description} {_comments(view)}" for view in views]
    return _sha256([*texts, repr(digests(store, views))])


def _definition(store: DataStore, view: View) -> str:
    """SQL of a view. A view keeps its text, so what would be a parameter is quoted into it.

    `folder` is `DataStore.path_of` in SQL.
    """
    base = re.sub(r"[\[\]*?]", r"[\g<0>]", store.folder(view.asset).as_posix())
    tables = _quoted(f"{base}/**/{view.file}")
    manifests = _quoted(f"{base}/**/manifest.json")
    return f"""
        CREATE VIEW "{view.name}" AS
        SELECT tables.* EXCLUDE (filename), manifests.{PARTITION}
        FROM read_parquet({tables}, union_by_name = true, filename = true) AS tables
        JOIN (
            SELECT
                "partition" AS {PARTITION},
                concat_ws('/', parse_dirpath(filename), nullif(generation, '')) AS folder
            FROM read_json(
                {manifests},
                filename = true,
                columns = {{partition: 'VARCHAR', generation: 'VARCHAR'}}
            )
        ) AS manifests ON tables.filename = manifests.folder || '/{view.file}'
    """  # noqa: S608 - names are constants of this package, the path is quoted


def _comment(connection: "duckdb.DuckDBPyConnection", view: View) -> None:
    connection.execute(f'COMMENT ON VIEW "{view.name}" IS {_quoted(view.description)}')
    present = {name for name, *_ in connection.execute(f'DESCRIBE "{view.name}"').fetchall()}
    for column, text in _comments(view).items():
        if column in present:
            connection.execute(f'COMMENT ON COLUMN "{view.name}"."{column}" IS {_quoted(text)}')


def _comments(view: View) -> dict[str, str]:
    """Column to description, also of the column that the view adds."""
    return descriptions(view.schema) | _ADDED


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _sha256(lines: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
