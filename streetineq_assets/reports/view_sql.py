"""SQL of the warehouse's views: which files a view reads, and from which study's folder.

A view globs over an asset's folders and keeps the files that a manifest in its own place names, of
the study's partitions: a folder may also hold another generation, a draft, somebody's copy, or a
city that left the study. The manifest gives the partition of each row.

DuckDB takes relative paths from where it was started, so a view keeps the whole path of the study's
folder, and reads below the session's variable `study` instead where one is set. In a copied study
without it a view would show the original's rows: it refuses.

A ready question is a view of its own over the tables that it needs, whose SQL it holds: up to
DuckDB 1.3 a view over views takes them from the database that was opened, not from its own. DuckDB
1.4.0 finds no WITH within a WITH, so that there is one at most.
"""

from collections.abc import Iterable, Mapping, Sequence

from streetineq_assets.area_vintages import EARLIER_NAMES
from streetineq_assets.reports.questions import Question
from streetineq_assets.reports.tables import View
from streetineq_assets.store import DataStore
from streetineq_assets.study import Study
from streetineq_assets.tables import engine_path

ASSET = "warehouse"
WAREHOUSE_FILE = "streetineq.duckdb"
PARTITION = "partition_key"
VARIABLE = "study"
# `read_json` fails for all files where one is damaged. DuckDB writes bytes that are no plain ASCII
# as \xNN: of them quotes and backslashes are put back, and others, which no key has, are left out.
_MANIFEST_TEXT = r"""replace(replace(
    regexp_replace(content::TEXT, '\\x([013-46-9A-F][0-9A-F]|2[013-9A-F]|5[0-9ABD-F])', ' ', 'g'),
    '\x22', '"'), '\x5C', '\')"""
_ASKED = f"getvariable('{VARIABLE}')::VARCHAR"
# Other ways of writing a path would match no name of a file, so that views were empty.
_NO_PATH = r"//|/[.][.]?(/|$)|\\"


def view_sql(store: DataStore, study: Study, view: View) -> str:
    """The statement that makes a table's view."""
    return f'CREATE VIEW "{view.name}" AS {_selection(store, study, view)}'


def question_sql(store: DataStore, study: Study, views: Sequence[View], question: Question) -> str:
    """The statement that makes a ready question's view."""
    needed = ", ".join(
        f'"{view.name}" AS ({_selection(store, study, view)})'
        for view in views
        if view.name in question.needs
    )
    return f'CREATE VIEW "{question.name}" AS WITH {needed} {question.sql}'


def place_sql(root: str) -> str:
    """The statement by which a session reads the study below a folder."""
    return f"SET VARIABLE {VARIABLE} = {quoted(root)}"


def partitions_shown(study: Study) -> list[str]:
    """Of the assets that views show: cities, pairs and schemes."""
    pairs = [pair.key for pair in study.pairs]
    return sorted([*study.cities, *pairs, *study.scheme_keys])


def quoted(text: str) -> str:
    """A text as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"


def _selection(store: DataStore, study: Study, view: View) -> str:
    """What a view shows. It keeps its text, so what would be a parameter is quoted into it.

    `place` is `DataStore.folder` in SQL, and `folder` is `DataStore.path_of`.
    """
    hidden = ["filename", *view.pictures]
    below = f"/{store.folder(view.asset).relative_to(store.root).as_posix()}"
    earlier = {new: old for new, old in EARLIER_NAMES.items() if new in view.schema.names}
    place, glob = f"{_root(store)} || '{below}'", f"{_pattern(store)} || '{below}"
    return f"""
        SELECT tables.* EXCLUDE ({", ".join([*hidden, *earlier.values()])}){_replaced(earlier)},
            manifests.{PARTITION}
        FROM (
            SELECT * FROM read_parquet(
                {glob}/**/{view.file}',
                union_by_name = true,
                filename = true,
                hive_partitioning = false
            ){_with_both(earlier)}
        ) AS tables
        JOIN (
            SELECT
                manifest ->> '$.asset' AS asset,
                manifest ->> '$.partition' AS {PARTITION},
                parse_dirpath(filename) AS place,
                concat_ws('/', place, nullif(manifest ->> '$.generation', '')) AS folder
            FROM (
                SELECT filename, CASE WHEN json_valid(text) THEN text END AS manifest
                FROM (
                    SELECT filename, {_MANIFEST_TEXT} AS text
                    FROM read_blob({glob}/**/manifest.json')
                )
            )
        ) AS manifests ON tables.filename = manifests.folder || '/{view.file}'
        WHERE manifests.asset = '{view.asset}'
            AND manifests.place = concat_ws('/', {place}, manifests.{PARTITION})
            AND coalesce(manifests.{PARTITION} IN ({_listed(partitions_shown(study))}), true)
            AND {_of_study(study, view)}
            AND {_in_place(store)}
    """  # noqa: S608 - names are constants of this package or of the study's form, paths are quoted


def _with_both(earlier: Mapping[str, str]) -> str:
    """SQL that adds both names of columns that files of earlier versions call otherwise."""
    if not earlier:
        return ""
    both = ", ".join(f'NULL::VARCHAR AS "{name}"' for pair in earlier.items() for name in pair)
    return f" UNION ALL BY NAME SELECT {both} WHERE false"


def _replaced(earlier: Mapping[str, str]) -> str:
    """SQL that takes a column from where a file has it."""
    taken = ", ".join(f'coalesce({new}, {old}) AS "{new}"' for new, old in earlier.items())
    return f" REPLACE ({taken})" if taken else ""


def _root(store: DataStore) -> str:
    """SQL of the folder of the study that a view reads: the session's, else the one it was made in.

    The engine asks when it binds the view, before it looks for files.
    """
    message = (
        f"SET VARIABLE {VARIABLE} takes the whole path of a study, as /home/me/my_study, without "
        "`.`, `..` and `//`; it is "
    )
    return f"""(CASE
            WHEN {_ASKED} IS NULL THEN {quoted(str(store.root))}
            WHEN starts_with({_ASKED}, '/') AND NOT regexp_matches({_ASKED}, '{_NO_PATH}')
            THEN rtrim({_ASKED}, '/')
            ELSE error({quoted(message)} || {_ASKED})
        END)"""


def _pattern(store: DataStore) -> str:
    """SQL of that folder as a pattern that is itself alone: `tables.engine_path`."""
    engine_path(store.root)  # a backslash is an error
    return rf"regexp_replace({_root(store)}, '[][*?]', '[\0]', 'g')"


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

    A copy of the file alone, in any other place, is read: it shows what it says. So is any file
    where the session names a folder; but the name would be that of every warehouse, so there must
    be no second one.
    """
    below = quoted(f"/{store.folder(ASSET).relative_to(store.root).as_posix()}/{WAREHOUSE_FILE}")
    copy = quoted(
        f"this warehouse shows the study in {store.root}, of which this one is a copy: run "
        f"`streetineq run` in the copy, or SET VARIABLE {VARIABLE} = '"
    )
    several = quoted(
        f"the variable {VARIABLE} is one for all warehouses, and two are attached: RESET VARIABLE "
        f"{VARIABLE}, or open each by itself"
    )
    return f"""(
                SELECT CASE
                    WHEN {_ASKED} IS NOT NULL AND count(*) FILTER (ends_with(path, {below})) > 1
                    THEN error({several})
                    WHEN {_ASKED} IS NOT NULL
                        OR bool_or(path = {quoted(str(store.root))} || {below})
                        OR NOT bool_or(ends_with(path, {below}))
                    THEN true
                    ELSE error({copy} || any_value(place) FILTER (ends_with(path, {below})) || '''')
                END
                FROM (
                    SELECT path, replace(replace(path, {below}, ''), '''', '''''') AS place
                    FROM (SELECT replace(path, '/./', '/') AS path FROM duckdb_databases())
                )
                WHERE starts_with(path, '/')
            )"""  # noqa: S608 - paths are quoted


def _listed(texts: Iterable[str]) -> str:
    return ", ".join(map(quoted, texts))
