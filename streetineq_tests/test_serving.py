"""Stopping `serve` stops everything that it started."""

import os
import signal
import subprocess
import sys
import time

import pytest

from streetineq_assets.store import DataStore
from streetineq_tests.test_study import MINIMAL, write

# A command that starts another process; one of the two ignores the signal.
FAMILY = """
import signal, subprocess, sys, time
child = "import signal, time; {ignore}; print('up', flush=True); time.sleep(60)"
subprocess.Popen([sys.executable, "-c", child])
time.sleep(60)
"""
IGNORE = "signal.signal(signal.SIGTERM, signal.SIG_IGN)"


def serving(command):
    """This process's `run_group` in another process, which prints the exit code that it returns."""
    script = (
        # A test run under `nohup` ignores hang-ups, and so would this process.
        "import signal, sys; signal.signal(signal.SIGHUP, signal.SIG_DFL); "
        "from streetineq_assets.serving import run_group; "
        f"print('code', run_group({command!r}, {{'STUDY': 'x'}}, grace_s=1.0))"
    )
    return subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def descendants(pid):
    """All processes below one, by id."""
    listed = subprocess.run(
        ["ps", "-eo", "pid,ppid,stat"], capture_output=True, text=True, check=False
    )
    rows = [line.split() for line in listed.stdout.splitlines()[1:]]
    children = {}
    for child, parent, state in rows:
        if not state.startswith("Z"):
            children.setdefault(int(parent), []).append(int(child))
    found, queue = set(), [pid]
    while queue:
        new = children.get(queue.pop(), [])
        found.update(new)
        queue += new
    return found


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return not state.stdout.startswith("Z")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
@pytest.mark.parametrize("ignore", ["pass", IGNORE])
def test_a_signal_ends_the_whole_group(number, ignore):
    server = serving([sys.executable, "-c", FAMILY.format(ignore=ignore)])
    assert server.stdout.readline() == "up\n"
    family = descendants(server.pid)
    assert len(family) == 2
    server.send_signal(number)
    printed, _ = server.communicate(timeout=20)
    assert printed == "code 0\n"
    assert not any(alive(pid) for pid in family)


def test_a_command_that_ends_by_itself_gives_its_code_and_leaves_nobody():
    script = "import subprocess, sys; subprocess.Popen(['sleep', '60']); sys.exit(3)"
    server = serving([sys.executable, "-c", script])
    printed, _ = server.communicate(timeout=20)
    assert printed == "code 3\n"


def test_the_environment_reaches_the_command():
    server = serving([sys.executable, "-c", "import os; print(os.environ['STUDY'])"])
    assert server.communicate(timeout=20)[0].splitlines() == ["x", "code 0"]


@pytest.mark.slow
def test_serve_leaves_no_process_behind(tmp_path):
    write(tmp_path, MINIMAL)
    command = [sys.executable, "-c", "from streetineq_assets.cli import app; app()", "serve"]
    server = subprocess.Popen([*command, "--root", str(DataStore(tmp_path).root), "--port", "3917"])
    try:
        deadline = time.monotonic() + 60
        while len(descendants(server.pid)) < 5 and time.monotonic() < deadline:
            time.sleep(0.5)
        family = descendants(server.pid)
        assert len(family) >= 5, "the leader, the web server, the daemon and the code server"
        server.terminate()
        assert server.wait(timeout=60) == 0
        assert not any(alive(pid) for pid in family)
    finally:
        server.kill()
