"""The command line: exit code 0 done, 1 failed with one clear message, 2 wrong usage."""

import re
import shutil

import duckdb
import pandas as pd
import pytest
from typer.testing import CliRunner

from streetineq_assets.cli import app
from streetineq_assets.findings import Findings
from streetineq_assets.labels.outcomes import OUTCOMES
from streetineq_assets.manifests import Recipe
from streetineq_assets.reports.tables import View
from streetineq_assets.reports.view_sql import WAREHOUSE_FILE
from streetineq_assets.reports.warehouse import build_warehouse, settings
from streetineq_assets.store import INPUT_FOLDERS, DataStore
from streetineq_assets.study import load_study
from streetineq_assets.tables import column, schema
from streetineq_tests.harness import publish
from streetineq_tests.test_study import MINIMAL, write

runner = CliRunner()


def test_init_writes_a_study_that_loads(tmp_path):
    result = runner.invoke(app, ["init", str(tmp_path / "mine")])
    assert result.exit_code == 0, result.output
    assert set(load_study(tmp_path / "mine" / "study.toml").cities) == {
        "london",
        "birmingham",
        "manchester",
        "leeds",
    }
    assert {p.name for p in (tmp_path / "mine" / "inputs").iterdir()} == set(INPUT_FOLDERS)
    assert (tmp_path / "mine" / "dagster_home" / "dagster.yaml").exists()
    assert (tmp_path / "mine" / "README.md").exists()


def test_init_writes_a_study_of_today(tmp_path):
    result = runner.invoke(app, ["init", str(tmp_path / "today"), "--areas", "lsoa21"])
    assert result.exit_code == 0, result.output
    study = load_study(tmp_path / "today" / "study.toml")
    assert (study.vintage.key, study.editions) == ("lsoa21", ("2021", "2025"))
    # Counted in ONS' lookup by the local authorities of 2022.
    assert [city.lsoas for city in study.cities.values()] == [4994, 1719, 1702, 1404]
    assert all(OUTCOMES[pair.outcome].tables[0].folder in ("census", "iod") for pair in study.pairs)
    text = (tmp_path / "today" / "study.toml").read_text()
    assert "with figures and areas of today: metropolitan counties.\n" in text


def test_init_keeps_what_is_there(tmp_path):
    (tmp_path / "study.toml").write_text("mine")
    result = runner.invoke(app, ["init", str(tmp_path)])
    assert result.exit_code == 1
    assert "is not empty" in result.stderr
    assert (tmp_path / "study.toml").read_text() == "mine"


def test_serve_without_a_study_is_one_message(tmp_path):
    result = runner.invoke(app, ["serve", "--root", str(tmp_path)])
    assert result.exit_code == 1
    assert result.stderr.startswith("streetineq: no study at")
    assert result.stderr.count("\n") == 1


def test_serve_says_that_the_warehouse_is_of_another_study(warehouse, tmp_path, monkeypatch):
    copy = DataStore(shutil.copytree(warehouse.root, tmp_path.with_name("copied")))
    write(copy.root, MINIMAL)
    monkeypatch.setattr("streetineq_assets.serving.run_services", lambda *_: 0)
    result = runner.invoke(app, ["serve", "--root", str(copy.root)])
    assert result.exit_code == 0, result.output
    assert str(warehouse.root) in result.stderr
    assert "materialise warehouse again" in result.stderr


def test_wrong_usage_is_2():
    assert runner.invoke(app, ["serve", "--port", "0"]).exit_code == 2
    assert runner.invoke(app, ["nonsense"]).exit_code == 2


def test_a_demo_does_not_run_over_a_real_study(tmp_path):
    runner.invoke(app, ["init", str(tmp_path / "mine")])
    result = runner.invoke(app, ["demo", "--root", str(tmp_path / "mine")])
    assert result.exit_code == 1
    assert "not synthetic" in result.stderr


def test_run_without_a_study_is_one_message(tmp_path):
    result = runner.invoke(app, ["run", "--root", str(tmp_path)])
    assert result.exit_code == 1
    assert result.stderr.startswith("streetineq: no study at")


def test_run_of_an_unknown_city_names_the_cities(tmp_path):
    write(tmp_path, MINIMAL)
    result = runner.invoke(app, ["run", "--root", str(tmp_path), "--city", "atlantis"])
    assert result.exit_code == 1
    assert "atlantis" in result.stderr
    assert "alpha" in result.stderr


@pytest.fixture
def warehouse(tmp_path):
    """A study whose warehouse has one table of three areas."""
    store = DataStore(tmp_path)

    def fill(folder):
        with duckdb.connect(folder / WAREHOUSE_FILE) as connection:
            connection.execute("CREATE TABLE areas AS SELECT range AS fold FROM range(3)")
        return Findings()

    recipe = Recipe(code_version="test", config={"root": str(store.root)})
    store.publish("warehouse", None, recipe, fill)
    return store


def query(store, sql):
    return runner.invoke(app, ["query", sql, "--root", str(store.root)])


def test_query_prints_a_table(warehouse):
    result = query(warehouse, "SELECT sum(fold) AS total FROM areas")
    assert result.exit_code == 0
    assert "total" in result.stdout
    assert "3" in result.stdout


def test_query_of_many_rows_says_how_many_there_are(warehouse):
    result = query(warehouse, "FROM range(5000)")
    assert "5000 rows" in result.stdout


@pytest.mark.parametrize("n", [100, 5000])
def test_query_draws_a_hundred_rows_at_most_the_first_and_the_last_of_them(warehouse, n):
    result = query(warehouse, f"FROM range({n})")
    rows = re.findall(r"^│ +(\d+) +│$", result.stdout, flags=re.M)
    assert (len(rows), rows[0], rows[-1]) == (100, "0", str(n - 1))
    assert len(result.stdout.splitlines()) <= 100 + 10, "with its head and foot"


@pytest.mark.parametrize(
    ("sql", "names"),
    [
        ("FROM lsoa_evaluation", "SHOW TABLES"),
        ("SELEC 1", "SELEC"),
        ("DROP TABLE areas", "read-only"),
        ("", "empty"),
    ],
)
def test_a_wrong_query_is_one_line_and_changes_nothing(warehouse, sql, names):
    result = query(warehouse, sql)
    assert result.exit_code == 1
    assert names in result.stderr
    assert result.stderr.count("\n") == 1
    assert query(warehouse, "FROM areas").exit_code == 0


def test_query_writes_all_rows_as_csv(warehouse, tmp_path):
    target = tmp_path / "it's 100%.csv"
    sql = "SELECT fold, 1 / 3 AS third, '=1+1' AS note FROM areas"
    root = str(warehouse.root)
    result = runner.invoke(app, ["query", sql, "--csv", str(target), "--root", root])
    assert result.exit_code == 0, result.output
    assert "3 rows" in result.stdout
    first = f"0,{1 / 3!r},'=1+1"
    assert target.read_text(encoding="utf-8").splitlines()[:2] == ["fold,third,note", first]


@pytest.fixture
def published_view(tmp_path):
    """A study whose warehouse shows a published table, and that table's file."""
    store = DataStore(tmp_path)
    write(tmp_path, MINIMAL)
    publish(store, "areas", None, areas=pd.DataFrame({"area": ["E01", "E02"]}))
    view = View("areas", "areas", "Areas.", schema(column("area", "string", "its code")))

    def fill(folder):
        study = load_study(store.study_file)
        build_warehouse(store, study, [view], folder / WAREHOUSE_FILE)
        return Findings()

    config = settings(store, load_study(store.study_file))
    store.publish("warehouse", None, Recipe(code_version="test", config=config), fill)
    return store, store.open("areas").file("areas.parquet")


@pytest.mark.parametrize(
    "sql",
    [
        "COPY (FROM areas) TO '{file}'",
        "COPY (FROM areas) TO '{file}' (USE_TMP_FILE false)",
        "WITH written AS (COPY (SELECT 1) TO '{file}' (USE_TMP_FILE false)) FROM written, areas",
        "WITH written AS (COPY (FROM areas) TO '{file}.csv') FROM written",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO '{file}'",
        "COPY (PIVOT areas ON area USING count(*)) TO '{file}'",
        "FROM areas; COPY (FROM areas) TO '{file}'",
        "EXPORT DATABASE '{file}.d'",
        "ATTACH '{file}.db' AS more",
        "SET enable_external_access = true",
        "SET VARIABLE study = '/'",
        "RESET VARIABLE study",
        "FROM areas; SET VARIABLE study = '/'",
        "INSTALL httpfs",
        "FROM read_csv('{file}')",
    ],
)
def test_a_query_writes_nothing_and_opens_no_other_file(published_view, sql):
    store, file = published_view
    before = sorted(store.root.rglob("*"))
    result = query(store, sql.format(file=file))
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert re.search("read-only|file system operations are disabled", result.stderr)
    assert sorted(store.root.rglob("*")) == before
    assert store.damage(store.manifest("areas")) is None


def test_a_query_shows_the_published_tables_and_their_comments(published_view):
    store, _ = published_view
    joined = query(store, "SELECT * FROM Areas JOIN areas AS a USING (area)")
    assert "E02" in joined.stdout, joined.stderr
    comments = query(store, "SELECT comment FROM duckdb_columns() WHERE table_name = 'areas'")
    assert comments.stdout.count("its code") == 1
    assert "NULL" not in comments.stdout


def test_a_query_after_study_toml_was_edited_asks_for_a_new_warehouse(published_view):
    store, _ = published_view
    text = store.study_file.read_text(encoding="utf-8")
    store.study_file.write_text(text.replace("alpha", "aleph"), encoding="utf-8")
    result = query(store, "FROM areas")
    assert result.exit_code == 1
    assert "materialise warehouse again" in result.stderr


def test_query_without_a_warehouse_says_what_to_materialise(tmp_path):
    result = query(DataStore(tmp_path), "SHOW TABLES")
    assert result.exit_code == 1
    assert "streetineq run" in result.stderr
    assert "materialise warehouse" in result.stderr


def test_query_answers_in_a_copied_study_of_the_copy(published_view, tmp_path):
    store, _ = published_view
    copy = DataStore(shutil.copytree(store.root, tmp_path / "it's a [copy]"))
    publish(copy, "areas", None, areas=pd.DataFrame({"area": ["E09"]}))
    assert "E09" in query(copy, "FROM areas").stdout
    assert "E01" not in query(copy, "FROM areas").stdout
    assert "E01" in query(store, "FROM areas").stdout


def test_query_answers_in_a_study_that_was_moved(published_view, tmp_path):
    store, _ = published_view
    moved = DataStore(store.root.rename(tmp_path.with_name("moved with views")))
    result = query(moved, "SELECT count(*) AS n FROM areas")
    assert result.exit_code == 0, result.output
    assert "2" in result.stdout


def test_a_copied_warehouse_of_an_earlier_version_is_refused(warehouse, tmp_path):
    """Its views read one place alone."""
    copy = warehouse.root.rename(tmp_path.with_name("moved"))
    result = query(DataStore(copy), "FROM areas")
    assert result.exit_code == 1
    assert "materialise warehouse again" in result.stderr


def test_a_ready_question_that_was_left_out_says_what_it_needs(published_view):
    store, _ = published_view
    result = query(store, "FROM worst_areas")
    assert result.exit_code == 1
    assert "worst_areas needs lsoa_predictions" in result.stderr
