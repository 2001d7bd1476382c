"""The instance's settings under the real daemon: retries, limits, and a server that goes away."""

import time
from collections import Counter

import dagster as dg
import pytest

from streetineq_tests.instance.conftest import SECRETS
from streetineq_tests.instance.daemon import (
    ask,
    at_once,
    command_lines,
    daemon,
    wait_for,
    write_workspace,
)
from streetineq_tests.instance.tiny import KEYS

pytestmark = pytest.mark.slow
AWAY_S = 60.0


@pytest.fixture
def log(tmp_path, monkeypatch):
    monkeypatch.setenv("TINY_LOG", str(tmp_path / "tiny.log"))
    return tmp_path / "daemon.log"


def attempts(tmp_path):
    return Counter((tmp_path / "tiny.log").read_text().split())


def statuses(instance, job):
    return [run.status for run in instance.get_runs(dg.RunsFilter(job_name=job))]


def active_slots(instance):
    return instance.event_log_storage.get_concurrency_info("gpu").active_slot_count


def test_a_failing_step_and_a_killed_run_do_not_multiply_retries(home, tmp_path, log):
    """The op's policy asks for two retries, the instance for one of a run whose process died."""
    workspace = write_workspace(tmp_path)
    with dg.DagsterInstance.from_config(str(home)) as instance, daemon(home, workspace, log):
        for job in ("fails", "is_killed"):
            ask(home, "job", "launch", "-w", str(workspace), "-j", job)
        failure = dg.DagsterRunStatus.FAILURE
        wait_for(
            lambda: (
                statuses(instance, "is_killed") == [failure] * 2
                and statuses(instance, "fails") == [failure]
            ),
            180,
            f"{instance.get_runs()}\n{log.read_text()}",
        )
        # The slots are freed 60 s after the end: time in which a third attempt would start.
        wait_for(lambda: active_slots(instance) == 0, 180, "the killed runs hold their slots")
        assert len(instance.get_runs()) == 3
    assert attempts(tmp_path) == {"failing": 3, "killed": 2}


def test_a_back_fill_outlives_a_server_that_is_away_for_a_minute(
    postgres, home, tmp_path, log, monkeypatch
):
    at_once(home, 8)
    workspace = write_workspace(tmp_path)
    with (
        dg.DagsterInstance.from_config(str(home)) as instance,
        daemon(home, workspace, log) as process,
    ):
        keys = KEYS[:16]
        asked = ["-w", str(workspace), "-j", "count", "--partitions", ",".join(keys)]
        ask(home, "job", "backfill", *asked, "--noprompt")

        def succeeded():
            return statuses(instance, "count").count(dg.DagsterRunStatus.SUCCESS)

        wait_for(lambda: succeeded() >= 2, 240, log.read_text())
        assert succeeded() < len(keys)
        shown = command_lines(process.pid)
        postgres.stop()
        time.sleep(AWAY_S)
        postgres.start()
        wait_for(lambda: succeeded() == len(keys), 300, log.read_text())
        assert process.poll() is None, "the daemon outlives it too"
        assert len(instance.get_runs()) == len(keys)
        assert active_slots(instance) == 0
    assert attempts(tmp_path) == dict.fromkeys(keys, 1)
    assert "streetineq_assets.instance" in shown, "the settings stand on the command lines"
    for text in (shown, log.read_text()):
        assert not any(secret in text for secret in SECRETS)
