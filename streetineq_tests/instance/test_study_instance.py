"""All that opens a study's instance comes to the same storage, by one variable and no editing."""

import subprocess
import sys

import dagster as dg
import pytest
import yaml
from dagster._core.instance.ref import InstanceRef
from dagster._serdes import serialize_value
from typer.testing import CliRunner

from streetineq_assets.cli import app
from streetineq_assets.errors import InstanceError, StudyError
from streetineq_assets.instance.postgres_url import VARIABLE
from streetineq_assets.instance.study_instance import StudyInstance
from streetineq_assets.store import DataStore
from streetineq_assets.study_template import ensure_instance, storage_in_words
from streetineq_tests.served import free_port
from streetineq_tests.test_study import MINIMAL, write

OURS = (
    "instance_class:\n  module: streetineq_assets.instance.study_instance\n  class: StudyInstance\n"
)
BEFORE = "telemetry: {enabled: false}\n"
BY_HAND = "storage:\n  postgres:\n    postgres_url: {env: STREETINEQ_POSTGRES_URL}\n"


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    write(tmp_path, MINIMAL)
    return DataStore(tmp_path)


@pytest.fixture
def absent(monkeypatch):
    """The variable names a server that is not there; its port."""
    port = free_port()
    monkeypatch.setenv(VARIABLE, f"postgresql://ann:hush@127.0.0.1:{port}/runs")
    return port


def test_without_the_variable_runs_lie_in_the_study(store):
    ensure_instance(store)
    with dg.DagsterInstance.from_config(str(store.dagster_home)) as instance:
        assert isinstance(instance, StudyInstance)
        instance.run_storage.get_runs()
    assert (store.dagster_home / "history" / "runs.db").exists()
    assert storage_in_words(store) == f"SQLite in {store.dagster_home}"


def test_the_settings_that_processes_hand_on_name_the_storage_and_no_password(store, absent):
    ensure_instance(store)
    handed_on = serialize_value(InstanceRef.from_dir(str(store.dagster_home)))
    assert "PostgresStorage" in handed_on
    assert "hush" not in handed_on


def test_a_process_without_the_variable_does_not_take_sqlite(store, absent, monkeypatch):
    ensure_instance(store)
    handed_on = InstanceRef.from_dir(str(store.dagster_home))
    monkeypatch.delenv(VARIABLE)
    with pytest.raises(InstanceError, match=VARIABLE):
        dg.DagsterInstance.from_ref(handed_on)
    assert not (store.dagster_home / "history").exists()


@pytest.mark.parametrize("command", ["run", "serve"])
def test_a_server_that_is_not_there_is_one_sentence(store, absent, command):
    arguments = [command, "--root", str(store.root)]
    arguments += ["--port", str(free_port())] if command == "serve" else []
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert f"127.0.0.1, port {absent}" in line
    assert "hush" not in result.output
    assert not (store.dagster_home / "history").exists()


@pytest.mark.parametrize("settings", [BEFORE, BY_HAND, BEFORE + BY_HAND, OURS + BY_HAND])
def test_settings_that_take_no_notice_are_named_with_the_remedy(store, absent, settings):
    store.dagster_home.mkdir()
    store.instance_file.write_text(settings)
    with pytest.raises(StudyError, match=r"dagster\.yaml does not read it") as refused:
        ensure_instance(store)
    assert "writes a new one" in str(refused.value)
    assert storage_in_words(store) == str(refused.value)
    store.instance_file.unlink()
    ensure_instance(store)
    assert "StudyInstance" in store.instance_file.read_text()
    assert storage_in_words(store) == f"Postgres at 127.0.0.1, port {absent}, database runs"


@pytest.mark.parametrize("settings", [BEFORE, BY_HAND])
def test_settings_of_before_hold_without_the_variable(store, settings):
    store.dagster_home.mkdir()
    store.instance_file.write_text(settings)
    ensure_instance(store)
    assert store.instance_file.read_text() == settings


def test_a_folder_that_sqlite_cannot_reach_will_do_with_postgres(tmp_path, absent):
    ensure_instance(DataStore(tmp_path / "which one?"))


def test_a_postgres_beside_the_named_one_is_refused(store, absent):
    arguments = ["serve", "--root", str(store.root), "--postgres", "--port", str(free_port())]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1
    assert f"{VARIABLE} names a Postgres" in result.stderr


def test_the_template_sends_nothing_home_and_bounds_what_runs_and_is_kept(store):
    ensure_instance(store)
    with dg.DagsterInstance.from_config(str(store.dagster_home)) as instance:
        assert not instance.telemetry_enabled
        assert not instance.nux_enabled
        queue = instance.get_concurrency_config()
        assert queue.pool_config.default_pool_limit == 1
        assert queue.run_queue_config.max_concurrent_runs == 4
        assert instance.run_retries_max_retries == 1
        assert not instance.run_retries_retry_on_asset_or_op_failure
        assert instance.run_monitoring_enabled
    settings = yaml.safe_load(store.instance_file.read_text())
    assert set(settings["retention"]) == {"schedule", "sensor", "auto_materialize"}


def test_a_run_of_this_process_belongs_to_the_code_location_that_the_ui_shows(store):
    """Without that the timeline leaves it out; and no daemon repeats what `run` resumes."""

    @dg.op
    def nothing():
        pass

    ensure_instance(store)
    job = dg.GraphDefinition("nothings", node_defs=[nothing]).to_job()
    with dg.DagsterInstance.from_config(str(store.dagster_home)) as instance:
        run = job.execute_in_process(instance=instance).dagster_run
        (kept,) = instance.get_runs()
    origin = kept.remote_job_origin
    assert kept.run_id == run.run_id
    assert (origin.location_name, origin.job_name) == ("streetineq", "nothings")
    assert origin.repository_origin.repository_name == "__repository__"


@pytest.mark.slow
def test_only_postgres_needs_the_extra(store):
    """A machine without it opens a study in SQLite."""
    ensure_instance(store)
    script = (
        "import sys; sys.modules['dagster_postgres'] = None; import dagster as dg; "
        f"dg.DagsterInstance.from_config({str(store.dagster_home)!r}).get_runs()"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
