"""The command line: exit code 0 done, 1 failed with one clear message, 2 wrong usage."""

from typer.testing import CliRunner

from streetineq_assets.cli import app
from streetineq_assets.store import INPUT_FOLDERS
from streetineq_assets.study import load_study

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
