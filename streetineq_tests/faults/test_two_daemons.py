"""Two daemons of one study: the second ends with a sentence; the lock dies with a killed first."""

import os
import signal
import subprocess
import sys

import pytest

from streetineq_assets.daemon import require_no_daemon
from streetineq_assets.errors import InstanceError
from streetineq_assets.store import DataStore
from streetineq_assets.study_template import ensure_instance
from streetineq_tests.chain import write_small_study
from streetineq_tests.instance.daemon import wait_for, write_workspace

pytestmark = pytest.mark.faults
STREETINEQ = [sys.executable, "-W", "ignore", "-m", "streetineq_assets"]


@pytest.fixture
def store(tmp_path, monkeypatch):
    """A study without results, whose code location is the tiny one."""
    monkeypatch.setenv("TINY_LOG", str(tmp_path / "tiny.log"))
    store = DataStore(tmp_path / "study")
    write_small_study(store.root)
    ensure_instance(store)
    return store


def start(store, *arguments):
    return subprocess.Popen(
        [*STREETINEQ, *arguments, "--root", str(store.root)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def is_running(store):
    try:
        require_no_daemon(store)
    except InstanceError:
        return True
    return False


def test_the_second_daemon_is_refused_until_the_first_has_ended_or_was_killed(
    store, tmp_path, fault
):
    workspace = ["--workspace", str(write_workspace(tmp_path))]
    with fault("two daemons"):
        first = start(store, "daemon", *workspace)
        try:
            wait_for(lambda: is_running(store), 120, "the first daemon holds no lock")
            for command in (["daemon", *workspace], ["serve", "--port", "3947"]):
                second = start(store, *command)
                said, _ = second.communicate(timeout=120)
                assert second.returncode == 1, said
                assert "has a daemon already" in said.splitlines()[-1]
                assert "Traceback" not in said
            assert first.poll() is None
        finally:
            os.killpg(first.pid, signal.SIGKILL)
            first.communicate()
        assert not is_running(store)
        third = start(store, "daemon", *workspace)
        try:
            wait_for(lambda: is_running(store), 120, "the third daemon holds no lock")
            third.terminate()
            said, _ = third.communicate(timeout=60)
            assert third.returncode == 0, said
        finally:
            if third.poll() is None:
                os.killpg(third.pid, signal.SIGKILL)
                third.communicate()
        assert not is_running(store)
