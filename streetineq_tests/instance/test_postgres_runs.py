"""Many runs at a time on a real Postgres, also while it is away."""

import subprocess
import sys
import time

import dagster as dg
import pytest

from streetineq_assets import run as running
from streetineq_assets.errors import StreetineqError
from streetineq_assets.instance import postgres_storage
from streetineq_assets.store import DataStore
from streetineq_tests.instance.conftest import SECRETS
from streetineq_tests.instance.tiny import KEYS
from streetineq_tests.test_study import MINIMAL, write

pytestmark = pytest.mark.slow
AT_A_TIME = 8
AWAY_S = 60.0  # Dagster itself waits for about ten


def workers(home, tmp_path, n_runs):
    """Eight processes that share the runs; each prints a line for each of its runs."""
    for number in range(AT_A_TIME):
        keys = KEYS[number:n_runs:AT_A_TIME]
        with (tmp_path / f"worker_{number}.txt").open("w") as output:
            yield subprocess.Popen(
                [sys.executable, "-m", "streetineq_tests.instance.tiny", str(home), *keys],
                stdout=output,
                stderr=subprocess.STDOUT,
            )


def printed(tmp_path):
    return "".join(file.read_text() for file in sorted(tmp_path.glob("worker_*.txt")))


def most_at_a_time(records):
    """How many runs were under way at once."""
    edges = [(record.start_time, 1) for record in records]
    edges += [(record.end_time, -1) for record in records]
    n, most = 0, 0
    for _, step in sorted(edges):
        n += step
        most = max(most, n)
    return most


def require_all_done(instance, n_runs):
    records = instance.get_run_records()
    assert len(records) == n_runs
    assert {record.dagster_run.status for record in records} == {dg.DagsterRunStatus.SUCCESS}
    assert instance.get_materialized_partitions(dg.AssetKey("counted")) == set(KEYS[:n_runs])
    pool = instance.event_log_storage.get_concurrency_info("gpu")
    assert (pool.slot_count, pool.active_slot_count, pool.pending_step_count) == (4, 0, 0)


@pytest.fixture
def instance(postgres, home, tmp_path, monkeypatch):
    monkeypatch.setenv("TINY_LOG", str(tmp_path / "tiny.log"))
    with dg.DagsterInstance.from_config(str(home)) as instance:
        instance.event_log_storage.set_concurrency_slots("gpu", 4)
        yield instance


def test_two_hundred_runs_eight_at_a_time_lose_nothing(instance, home, tmp_path):
    processes = list(workers(home, tmp_path, len(KEYS)))
    assert [process.wait() for process in processes] == [0] * AT_A_TIME, printed(tmp_path)
    require_all_done(instance, len(KEYS))
    assert sorted((tmp_path / "tiny.log").read_text().split()) == KEYS, "each once"
    assert most_at_a_time(instance.get_run_records()) == AT_A_TIME


def test_runs_go_on_when_the_server_was_away_for_a_minute(instance, postgres, home, tmp_path):
    processes = list(workers(home, tmp_path, 48))
    while printed(tmp_path).count("succeeded") < 8:
        assert all(process.poll() is None for process in processes), printed(tmp_path)
        time.sleep(0.2)
    postgres.stop()
    time.sleep(AWAY_S)
    done = printed(tmp_path).count("succeeded")
    postgres.start()
    assert [process.wait() for process in processes] == [0] * AT_A_TIME, printed(tmp_path)
    assert done < 48
    require_all_done(instance, 48)
    output = printed(tmp_path)
    assert f"127.0.0.1, port {postgres.port}" in output
    assert not any(secret in output for secret in SECRETS)


def test_a_server_that_does_not_come_back_ends_a_run_with_one_sentence(
    postgres, tmp_path, monkeypatch
):
    @dg.asset
    def labels():
        postgres.stop()

    definitions = dg.Definitions(assets=[labels], jobs=[dg.define_asset_job("read", [labels])])
    monkeypatch.setattr(running, "build_definitions", lambda root: definitions)
    monkeypatch.setattr(postgres_storage, "PATIENCE_S", 2.0)
    write(tmp_path, MINIMAL)
    with pytest.raises(StreetineqError, match=f"127.0.0.1, port {postgres.port}") as ended:
        running.run_study(DataStore(tmp_path), print)
    assert not any(secret in str(ended.value) for secret in SECRETS)
    assert "\n" not in str(ended.value)
