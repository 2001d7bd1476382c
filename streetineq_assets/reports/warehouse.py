"""The warehouse: one DuckDB file with a view over every published Parquet table.

It holds no data: the views read the artefacts as they stand when asked. So the file need not be
made again when an upstream is, only when the set of views changes, or the study names other cities
or outcomes. Ready questions (`questions`) are views too, where the tables that they need are there.

A copied or moved study has a warehouse that was made elsewhere. Whoever says in which folder the
study lies, as `streetineq query` does, gets that study's rows; who says nothing is refused.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa

from streetineq_assets.errors import StoreError
from streetineq_assets.manifests import Manifest
from streetineq_assets.reports.questions import Question
from streetineq_assets.reports.tables import View
from streetineq_assets.reports.view_sql import (
    ASSET,
    PARTITION,
    VARIABLE,
    partitions_shown,
    place_sql,
    question_sql,
    quoted,
    view_sql,
)
from streetineq_assets.store import DataStore
from streetineq_assets.study import Study, load_study
from streetineq_assets.tables import descriptions

if TYPE_CHECKING:
    import duckdb

_ADDED = {PARTITION: "partition of the row's asset: a city, city/outcome or city/scheme, or null"}
# The oldest format, which every DuckDB since 1.0 opens, whichever wrote it.
_STORAGE = "v1.0.0"


class Built(NamedTuple):
    """What a warehouse shows.

    Attributes:
        rows: name of a view, then of a ready question, to its number of rows; views without any
            published file are left out.
        left_out: name of a ready question that cannot be asked to the reason.
    """

    rows: dict[str, int]
    left_out: dict[str, str]


def build_warehouse(
    store: DataStore,
    study: Study,
    views: Sequence[View],
    path: Path,
    questions: Sequence[Question] = (),
) -> Built:
    """Write the database, and ask each view how many rows it shows.

    Raises:
        StoreError: a view cannot be read, as when two files of one table do not fit together; or
            the path has a question mark, at which DuckDB would put a file of its own.
    """
    import duckdb

    if "?" in str(path):
        raise StoreError(f"{path}: DuckDB writes no database below a `?`: rename that folder")
    rows: dict[str, int] = {}
    columns: dict[str, set[str]] = {}
    published = digests(store, study, views)
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH {quoted(str(path))} AS built (STORAGE_VERSION '{_STORAGE}')")
        connection.execute("USE built")
        for view in views:
            if view.name not in published:
                continue
            try:
                connection.execute(view_sql(store, study, view))
                rows[view.name] = _n_rows(connection, view.name)
            except duckdb.Error as error:
                raise StoreError(_why_unreadable(store, view, error)) from error
            columns[view.name] = _columns(connection, view.name)
            _comment(connection, view.name, view.description, _comments(view))
        left_out = _reasons(questions, views, columns)
        for question in questions:
            if question.name in left_out:
                continue
            connection.execute(question_sql(store, study, views, question))
            rows[question.name] = _n_rows(connection, question.name)
            about = descriptions(question.schema)
            _comment(connection, question.name, question.description, about)
    return Built(rows, left_out)


def settings(store: DataStore, study: Study) -> dict[str, str | list[str]]:
    """What views keep beside the names of files, and how another folder is named to them."""
    return {
        "root": str(store.root),
        "variable": VARIABLE,
        "partitions": partitions_shown(study),
    }


def digests(store: DataStore, study: Study, views: Sequence[View]) -> dict[str, str]:
    """View to digest of what it shows now; views without any published file are left out."""
    known = {None, *partitions_shown(study)}
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


def content_digest(
    store: DataStore, study: Study, views: Sequence[View], questions: Sequence[Question] = ()
) -> str:
    """sha256 of what the views say and show; a database's own bytes differ from run to run."""
    texts = [
        f"{view_sql(store, study, view)} {view.description} {_comments(view)}" for view in views
    ]
    texts += [f"{each.sql} {each.description} {descriptions(each.schema)}" for each in questions]
    return _sha256([*texts, repr(digests(store, study, views))])


def look_into(connection: "duckdb.DuckDBPyConnection", store: DataStore) -> None:
    """Let the views read this study, wherever the warehouse was made."""
    connection.execute(place_sql(str(store.root)))


def disagreement(store: DataStore) -> str | None:
    """Why the published warehouse does not answer of this study; None when it does, or is absent.

    A study.toml that was edited since names other cities or outcomes; and a warehouse of an earlier
    version shows no other place than that in which it was made.

    Raises:
        StudyError: study.toml is wrong.
    """
    made = _made_with(store)
    if "variable" not in made and made.get("root") not in (None, str(store.root)):
        return (
            f"the warehouse shows the study in {made['root']}, from which {store.root} was copied "
            "or moved: materialise warehouse again"
        )
    shown = made.get("partitions")
    if shown is not None and shown != partitions_shown(load_study(store.study_file)):
        return (
            "the warehouse shows the cities and outcomes that study.toml named when it was made, "
            "which differ from today's: materialise warehouse again"
        )
    return None


def caution(store: DataStore) -> str | None:
    """What whoever opens the warehouse, by any program, has to know of it; None when nothing.

    Raises:
        StudyError: study.toml is wrong.
    """
    root = _made_with(store).get("root")
    if (found := disagreement(store)) or root in (None, str(store.root)):
        return found
    return (
        f"the warehouse was made in {root}, from which {store.root} was copied or moved: "
        f"`streetineq query` answers; in other programs {place_sql(str(store.root))} first, or "
        "materialise warehouse again"
    )


def _made_with(store: DataStore) -> Mapping[str, object]:
    """The settings that the published warehouse was made with; of none where it is absent."""
    manifest = store.manifest(ASSET)
    return manifest.recipe.config if manifest else {}


def _reasons(
    questions: Sequence[Question], views: Sequence[View], columns: Mapping[str, set[str]]
) -> dict[str, str]:
    """Why ready questions are left out, by name.

    Args:
        columns: of the views that are there.
    """
    schemas: dict[str, pa.Schema] = {view.name: view.schema for view in views}
    found = {}
    for question in questions:
        absent = [name for name in question.needs if name not in columns]
        older = {
            name: lacking
            for name in question.needs
            if name in columns and (lacking := set(schemas[name].names) - columns[name])
        }
        if absent:
            found[question.name] = f"nothing is published for {' and '.join(absent)}"
        elif older:
            name, lacking = next(iter(older.items()))
            found[question.name] = (
                f"{name} is of an earlier version, without {', '.join(sorted(lacking))}"
            )
    return found


def _why_unreadable(store: DataStore, view: View, error: Exception) -> str:
    """Which artefact is damaged; else what the engine says of the file that does not fit."""
    for manifest in store.manifests(view.asset):
        if damage := store.damage(manifest):
            return f"{damage}: materialise {manifest.label} again"
    return (
        f"the tables of {view.asset} cannot be read as one ({error}): materialise the one that is "
        "named there again, or remove the file if it is none of the study's"
    )


def _n_rows(connection: "duckdb.DuckDBPyConnection", name: str) -> int:
    ((count,),) = connection.table(f'"{name}"').count("*").fetchall()
    return count


def _columns(connection: "duckdb.DuckDBPyConnection", name: str) -> set[str]:
    return {column for column, *_ in connection.execute(f'DESCRIBE "{name}"').fetchall()}


def _comment(
    connection: "duckdb.DuckDBPyConnection", name: str, description: str, about: Mapping[str, str]
) -> None:
    connection.execute(f'COMMENT ON VIEW "{name}" IS {quoted(description)}')
    present = _columns(connection, name)
    for column, text in about.items():
        if column in present:
            connection.execute(f'COMMENT ON COLUMN "{name}"."{column}" IS {quoted(text)}')


def _comments(view: View) -> dict[str, str]:
    """Column to description, also of the column that the view adds."""
    return descriptions(view.schema) | _ADDED


def _sha256(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
