"""A process whose parent is killed, and that has more to tell than a pipe holds."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from streetineq_assets.step_process import let_orphans_end

TOLD = "x" * 1_000_000


def step(queue, is_orphan, answer):
    let_orphans_end()
    if is_orphan:
        os.kill(os.getppid(), signal.SIGKILL)
    queue.put(TOLD)
    Path(answer).write_text(str(os.getpid()))


def run(method, is_orphan, answer):
    context = multiprocessing.get_context(method)
    queue = context.Queue()
    process = context.Process(target=step, args=(queue, is_orphan, answer))
    process.start()
    assert queue.get() == TOLD
    process.join()
    sys.exit(process.exitcode)


def started(method, answer, *, is_orphan):
    """A run with one step, in a process of its own."""
    code = f"from {__name__} import run; run({method!r}, {is_orphan}, {str(answer)!r})"
    return subprocess.run([sys.executable, "-c", code], check=False).returncode


def is_running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_a_step_ends_though_its_run_was_killed(tmp_path, method):
    assert started(method, tmp_path / "pid", is_orphan=True) == -signal.SIGKILL
    deadline = time.monotonic() + 30
    while not (tmp_path / "pid").exists() or is_running(int((tmp_path / "pid").read_text())):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_run_that_lives_hears_everything(tmp_path):
    assert started("spawn", tmp_path / "pid", is_orphan=False) == 0
