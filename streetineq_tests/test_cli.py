"""The command line: exit code 0 done, 1 failed with one clear message, 2 wrong usage."""

import re

import duckdb
import pytest
from typer.testing import CliRunner

from streetineq_assets.cli import app
from streetineq_assets.findings import Findings
from streetineq_assets.manifests import Recipe
from streetineq_assets.reports.warehouse import WAREHOUSE_FILE
from streetineq_assets.store import INPUT_FOLDERS, DataStore
from streetineq_assets.study import load_study
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


def test_query_writes_a_file_where_it_is_asked_to(warehouse, tmp_path):
    target = tmp_path / "areas.csv"
    assert query(warehouse, f"COPY (FROM areas) TO '{target}'").exit_code == 0
    assert target.read_text().splitlines() == ["fold", "0", "1", "2"]


def test_query_without_a_warehouse_says_what_to_materialise(tmp_path):
    result = query(DataStore(tmp_path), "SHOW TABLES")
    assert result.exit_code == 1
    assert "materialise warehouse" in result.stderr


def test_the_warehouse_of_a_copied_study_is_refused(warehouse, tmp_path):
    copy = warehouse.root.rename(tmp_path.with_name("moved"))
    result = query(DataStore(copy), "FROM areas")
    assert result.exit_code == 1
    assert "materialise warehouse again" in result.stderr
