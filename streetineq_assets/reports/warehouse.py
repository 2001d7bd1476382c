"""The warehouse: one DuckDB file with a view over every published Parquet table.

It holds no data: the views read the artefacts as they stand when asked. So the file need not be
made again when an upstream is, only when the set of views changes, the study names other cities or
outcomes, or it is moved.

A view globs over an asset's folders and keeps the files that a manifest in its own place names, of
the study's partitions: a folder may also hold another generation, a draft, somebody's copy, or a
city that left the study. The manifest gives the partition of each row.

Views keep absolute paths, for DuckDB takes relative ones from where it was started. In a copied
study they would show the original's rows, so each refuses to be read from another study's place.
"""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from streetineq_assets.errors import StoreError
from streetineq_assets.manifests import Manifest
from streetineq_assets.reports.tables import View
from streetineq_assets.store import DataStore
from streetineq_assets.study import Study, load_study
from streetineq_assets.tables import descriptions, engine_path

if TYPE_CHECKING:
    import duckdb

ASSET = "warehouse"
WAREHOUSE_FILE = "streetineq.duckdb"
PARTITION = "partition_key"
_ADDED = {PARTITION: "partition of the row's asset: a city, city/outcome or city/scheme, or null"}
# `read_json` fails for all files where one is damaged. DuckDB writes bytes that are no plain ASCII
# as \xNN: of them quotes and backslashes are put back, and others, which no key has, are left out.
_MANIFEST_TEXT = r"""replace(replace(
    regexp_replace(content::TEXT, '\\x([013-46-9A-F][0-9A-F]|2[013-9A-F]|5[0-9ABD-F])', ' ', 'g'),
    '\x22', '"'), '\x5C', '\')"""
# The oldest format, which every DuckDB since 1.0 opens, whichever wrote it.
_STORAGE = "v1.0.0"


def build_warehouse(
    store: DataStore, study: Study, views: Sequence[View], path: Path
) -> dict[str, int]:
    """Write the database, and ask each view how many rows it shows.

    Returns:
        Name of the view to number of rows; views without any published file are left out.

    Raises:
        StoreError: a view cannot be read, as when two files of one table do not fit together; or
            the path has a question mark, at which DuckDB would put a file of its own.
    """
    import duckdb

    if "?" in str(path):
        raise StoreError(f"{path}: DuckDB writes no database below a `?`: rename that folder")
    rows = {}
    published = digests(store, study, views)
    with duckdb.connect() as connection:
        target = _quoted(str(path))
        connection.execute(f"ATTACH {target} AS built (STORAGE_VERSION '{_STORAGE}')")
        connection.execute("USE built")
        for view in views:
            if view.name not in published:
                continue
            try:
                connection.execute(_definition(store, study, view))
                ((count,),) = connection.table(f'"{view.name}"').count("*").fetchall()
            except duckdb.Error as error:
                raise StoreError(_why_unreadable(store, view, error)) from error
            _comment(connection, view)
            rows[view.name] = count
    return rows


def settings(store: DataStore, study: Study) -> dict[str, str | list[str]]:
    """What views keep beside the names of files: the study's folder, cities and pairs."""
    return {"root": str(store.root), "partitions": _partitions(study)}


def digests(store: DataStore, study: Study, views: Sequence[View]) -> dict[str, str]:
    """View to digest of what it shows now; views without any published file are left out."""
    known = {None, *_partitions(study)}
    manifests: dict[str, list[Manifest]] = {
        asset: [each for each in store.manifests(asset) if each.partition in known]
        for asset in {view.asset for view in views}
    }
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


def content_digest(store: DataStore, study: Study, views: Sequence[View]) -> str:
    """sha256 of what the views say and show; a database's own bytes differ from run to run."""
    texts = [
        f"{_definition(store, study, view)} {view.description} {_comments(view)}" for view in views
    ]
    return _sha256([*texts, repr(digests(store, study, views))])


def disagreement(store: DataStore) -> str | None:
    """Why the published warehouse is not one of this study as it is; None when it is, or is absent.

    A study that was copied or moved brings along the warehouse of where it was; a study.toml that
    was edited since names other cities or outcomes.

    Raises:
        StudyError: study.toml is wrong.
    """
    manifest = store.manifest(ASSET)
    made = manifest.recipe.config if manifest else {}
    root, partitions = made.get("root"), made.get("partitions")
    if root not in (None, str(store.root)):
        return (
            f"the warehouse shows the study in {root}, from which {store.root} was copied or "
            "moved: materialise warehouse again"
        )
    if partitions is not None and partitions != _partitions(load_study(store.study_file)):
        return (
            "the warehouse shows the cities and outcomes that study.toml named when it was made, "
            "which differ from today's: materialise warehouse again"
        )
    return None


# -- one view --------------------------------------------------------------------------------------


def _definition(store: DataStore, study: Study, view: View) -> str:
    """SQL of a view. A view keeps its text, so what would be a parameter is quoted into it.

    `place` is `DataStore.folder` in SQL, `folder` is `DataStore.path_of`. Pictures are left out,
    since neither a table on a terminal nor a CSV file can show them.
    """
    base, glob = store.folder(view.asset), engine_path(store.folder(view.asset))
    partitions = _listed(_partitions(study))
    hidden = ["filename", *(each.name for each in view.schema if pa.types.is_binary(each.type))]
    return f"""
        CREATE VIEW "{view.name}" AS
        WITH manifests AS (
            SELECT
                manifest ->> '$.asset' AS asset,
                manifest ->> '$.partition' AS {PARTITION},
                parse_dirpath(filename) AS place,
                concat_ws('/', place, nullif(manifest ->> '$.generation', '')) AS folder
            FROM (
                SELECT filename, CASE WHEN json_valid(text) THEN text END AS manifest
                FROM (
                    SELECT filename, {_MANIFEST_TEXT} AS text
                    FROM read_blob({_quoted(f"{glob}/**/manifest.json")})
                )
            )
        )
        SELECT tables.* EXCLUDE ({", ".join(hidden)}), manifests.{PARTITION}
        FROM read_parquet(
            {_quoted(f"{glob}/**/{view.file}")},
            union_by_name = true,
            filename = true,
            hive_partitioning = false
        ) AS tables
        JOIN manifests ON tables.filename = manifests.folder || '/{view.file}'
        WHERE manifests.asset = '{view.asset}'
            AND manifests.place = concat_ws('/', {_quoted(str(base))}, manifests.{PARTITION})
            AND coalesce(manifests.{PARTITION} IN ({partitions}), true)
            AND {_of_study(study, view)}
            AND {_in_place(store)}
    """  # noqa: S608 - names are constants of this package or of the study's form, paths are quoted


def _why_unreadable(store: DataStore, view: View, error: Exception) -> str:
    """Which artefact is damaged; else what the engine says of the file that does not fit."""
    for manifest in store.manifests(view.asset):
        if damage := store.damage(manifest):
            return f"{damage}: materialise {manifest.label} again"
    return (
        f"the tables of {view.asset} cannot be read as one ({error}): materialise the one that is "
        "named there again, or remove the file if it is none of the study's"
    )


def _of_study(study: Study, view: View) -> str:
    """SQL that keeps rows of the study's cities, and results of its pairs.

    An artefact that covers several may have been made before one of them left. Labels are made of
    every outcome that has a file.
    """
    names = view.schema.names
    if "outcome" in names and view.asset != "lsoa_labels":
        pairs = _listed(pair.key for pair in study.pairs)
        return f"concat_ws('/', tables.city, tables.outcome) IN ({pairs})"
    if "city" in names:
        return f"coalesce(tables.city IN ({_listed(study.cities)}), true)"
    return "true"


def _in_place(store: DataStore) -> str:
    """SQL that fails in a copy of the study, which has its warehouse below another root.

    A copy of the file alone, in any other place, is read: it shows what it says.
    """
    below = f"/{store.folder(ASSET).relative_to(store.root).as_posix()}/{WAREHOUSE_FILE}"
    own = _quoted(f"{store.root}{below}")
    message = _quoted(
        f"this warehouse shows the study in {store.root}, of which this one is a copy: run "
        "`streetineq run` in the copy, or open the original's"
    )
    return f"""(
                SELECT CASE
                    WHEN bool_or(path = {own}) OR NOT bool_or(ends_with(path, {_quoted(below)}))
                    THEN true
                    ELSE error({message})
                END
                FROM (SELECT replace(path, '/./', '/') AS path FROM duckdb_databases())
                WHERE starts_with(path, '/')
            )"""  # noqa: S608 - paths are quoted


def _partitions(study: Study) -> list[str]:
    """Of the assets that views show: cities, pairs and schemes."""
    pairs = [pair.key for pair in study.pairs]
    return sorted([*study.cities, *pairs, *study.scheme_keys])


def _comment(connection: "duckdb.DuckDBPyConnection", view: View) -> None:
    connection.execute(f'COMMENT ON VIEW "{view.name}" IS {_quoted(view.description)}')
    present = {name for name, *_ in connection.execute(f'DESCRIBE "{view.name}"').fetchall()}
    for column, text in _comments(view).items():
        if column in present:
            connection.execute(f'COMMENT ON COLUMN "{view.name}"."{column}" IS {_quoted(text)}')


def _comments(view: View) -> dict[str, str]:
    """Column to description, also of the column that the view adds."""
    return descriptions(view.schema) | _ADDED


def _listed(texts: Iterable[str]) -> str:
    return ", ".join(map(_quoted, texts))


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _sha256(lines: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
