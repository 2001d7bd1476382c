"""Other versions of DuckDB open the warehouse and answer alike (slow: each is installed)."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from streetineq_assets.reports.questions import QUESTIONS
from streetineq_assets.reports.view_sql import WAREHOUSE_FILE, place_sql
from streetineq_assets.store import DataStore
from streetineq_tests import harness
from streetineq_tests.reports import made_up_study

pytestmark = pytest.mark.slow

# The oldest that has variables (1.1), and the oldest that the platform itself takes.
VERSIONS = ("1.1.3", "1.4.0")
ASK = """
import json, sys
import duckdb

file, before, statements = json.loads(sys.argv[1])
with duckdb.connect(file, read_only=True) as connection:
    for statement in before:
        connection.execute(statement)
    answers = []
    for statement in statements:
        try:
            answers.append(connection.execute(statement).fetchone()[0])
        except duckdb.Error as error:
            answers.append(str(error))
print(json.dumps([duckdb.__version__, answers]))
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> DataStore:
    store = made_up_study.write(tmp_path_factory.mktemp("asked") / "it's [the] study*")
    harness.run(store, "warehouse")
    return store


@pytest.fixture(scope="module", params=VERSIONS)
def ask(request, tmp_path_factory):
    """A function that asks by another version: a file, what is said before, and the statements."""
    uv = shutil.which("uv")
    assert uv, "uv is needed to install other versions of DuckDB"
    folder = tmp_path_factory.mktemp("duckdb")
    python = folder / "bin" / "python"
    for command in (
        ["venv", "-q", "--clear", "--python", sys.executable, str(folder)],
        ["pip", "install", "-q", "--python", str(python), f"duckdb=={request.param}"],
    ):
        subprocess.run([uv, *command], check=True, capture_output=True)

    def answers(file: Path, before: list[str], statements: list[str]) -> list[object]:
        what = json.dumps([str(file), before, statements])
        command = [str(python), "-I", "-c", ASK, what]
        said = subprocess.run(command, check=True, capture_output=True, text=True)
        version, found = json.loads(said.stdout)
        assert version == request.param
        return found

    return answers


def file_of(store: DataStore) -> Path:
    return store.folder("warehouse") / WAREHOUSE_FILE


def test_every_view_shows_as_many_rows(store, ask):
    with duckdb.connect(file_of(store), read_only=True) as connection:
        views = [name for (name,) in connection.execute("SHOW TABLES").fetchall()]
        rows = [connection.table(f'"{name}"').count("*").fetchall()[0][0] for name in views]
    assert len({*views} & {question.name for question in QUESTIONS}) == 4
    assert ask(file_of(store), [], [f'SELECT count(*) FROM "{name}"' for name in views]) == rows


def test_a_copy_is_refused_until_it_is_named(store, ask, tmp_path):
    copy = DataStore(shutil.copytree(store.root, tmp_path / 'the "copy" [2]'))
    shutil.rmtree(copy.folder("lsoa_predictions", "beta/crime"))
    statements = [
        "SELECT count(*) FROM lsoa_predictions",
        "SELECT count(*) FROM worst_areas WHERE city = 'beta'",
    ]
    refused = ask(file_of(copy), [], statements)
    assert all("of which this one is a copy" in answer for answer in refused)
    assert ask(file_of(copy), [place_sql(str(copy.root))], statements) == [60, 0]


def test_a_question_reads_the_warehouse_that_it_stands_in(store, ask, tmp_path):
    """Also where another is attached: versions before 1.4 look for views in the one opened."""
    other = made_up_study.write(tmp_path / "other")
    shutil.rmtree(other.folder("lsoa_predictions", "alpha"))
    harness.run(other, "warehouse")
    attach = f"ATTACH '{file_of(other)}' AS other (READ_ONLY)"
    of_other = "SELECT count(*) FROM other.worst_areas WHERE city = 'alpha'"
    of_own = "SELECT count(*) > 0 FROM worst_areas WHERE city = 'alpha'"
    assert ask(file_of(store), [attach], [of_other, of_own]) == [0, True]
