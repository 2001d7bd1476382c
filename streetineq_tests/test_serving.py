"""Stopping `serve` stops everything that it started."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from streetineq_assets.errors import StreetineqError
from streetineq_assets.serving import require_free, services
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


def serving(command, *, others=(), up=None):
    """`run_services` in another process, which prints the exit code that it returns.

    Args:
        up: a file that is there once the code server is up.
    """
    script = (
        # A test run under `nohup` ignores hang-ups, and so would this process.
        "import signal, sys; signal.signal(signal.SIGHUP, signal.SIG_DFL); "
        "import pathlib; from streetineq_assets import serving; serving._RESTART_AFTER_S = 0.1; "
        f"wanted = serving.Services({command!r}, {others!r}, pathlib.Path({str(up)!r}).exists); "
        "print('code', serving.run_services(wanted, {'STUDY': 'x'}, grace_s=1.0))"
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
    # Nothing is listed of a process that has ended since.
    return state.stdout.strip() != "" and not state.stdout.startswith("Z")


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_signal_while_the_rest_of_the_group_ends_leaves_nobody():
    """The command has ended, what it started ignores SIGTERM, and the user presses Ctrl-C."""
    child = f"import signal, time; {IGNORE}; print('up', flush=True); time.sleep(60)"
    script = (
        "import subprocess, sys; "
        f"child = subprocess.Popen([sys.executable, '-c', {child!r}], stdout=subprocess.PIPE); "
        "child.stdout.readline(); print(child.pid, flush=True)"
    )
    server = serving([sys.executable, "-c", script])
    pid = int(server.stdout.readline())
    server.send_signal(signal.SIGINT)
    assert "Traceback" not in server.communicate(timeout=20)[1]
    assert server.returncode == 0
    assert not alive(pid)


def test_processes_are_asked_before_they_are_killed(tmp_path):
    asked = tmp_path / "asked"
    script = (
        "import pathlib, signal, sys, time; "
        f"signal.signal(signal.SIGTERM, lambda *_: (pathlib.Path({str(asked)!r}).touch(), "
        "sys.exit())); print('up', flush=True); time.sleep(60)"
    )
    server = serving([sys.executable, "-c", script])
    assert server.stdout.readline() == "up\n"
    server.terminate()
    assert server.communicate(timeout=20)[0] == "code 0\n"
    assert asked.exists()


def test_the_environment_reaches_the_command_beside_its_own():
    script = "import os; print(os.environ['STUDY'], 'PATH' in os.environ)"
    server = serving([sys.executable, "-c", script])
    assert server.communicate(timeout=20)[0].splitlines() == ["x True", "code 0"]


@pytest.mark.slow
def test_the_others_wait_for_the_code_server_which_is_started_again_when_it_ends(tmp_path):
    up, log = tmp_path / "up", tmp_path / "log"
    append = f"import pathlib, time; file = pathlib.Path({str(log)!r}).open('a'); file.write"
    code_server = f"{append}('code '); file.close(); pathlib.Path({str(up)!r}).touch()"
    other = (
        f"{append}('other '); file.close()\n"
        f"while pathlib.Path({str(log)!r}).read_text().count('code') < 3: time.sleep(0.05)\n"
        "raise SystemExit(4)"
    )
    code_server += "; time.sleep(0.3)"
    server = serving(
        [sys.executable, "-c", code_server], others=[[sys.executable, "-c", other]], up=up
    )
    assert server.communicate(timeout=30)[0] == "code 4\n"
    assert log.read_text().split()[0] == "code"
    assert log.read_text().count("code") >= 3


def test_the_services_are_on_loopback_and_the_web_server_is_the_guarded_one(tmp_path):
    with services(tmp_path, 3456) as wanted:
        assert not wanted.is_up()
        daemon, web = wanted.others
        assert web[1:4] == ["-m", "streetineq_assets.cli", "webserver"]
        assert "--host" not in web
        workspace = Path(web[web.index("--workspace") + 1])
        assert str(workspace) in daemon
        assert wanted.code_server[-3] in workspace.read_text(encoding="utf-8")
    assert not workspace.exists()


def test_a_port_in_use_is_refused_before_anything_starts():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(StreetineqError, match=f"port {port} .*--port"):
            require_free(port)
    require_free(port)


@pytest.mark.slow
def test_serve_leaves_no_process_behind(tmp_path):
    write(tmp_path, MINIMAL)
    command = [sys.executable, "-c", "from streetineq_assets.cli import app; app()", "serve"]
    server = subprocess.Popen([*command, "--root", str(DataStore(tmp_path).root), "--port", "3917"])
    try:
        deadline = time.monotonic() + 60
        while len(descendants(server.pid)) < 4 and time.monotonic() < deadline:
            time.sleep(0.5)
        family = descendants(server.pid)
        assert len(family) >= 4, "the code server and what it started, the web server, the daemon"
        server.terminate()
        assert server.wait(timeout=60) == 0
        assert not any(alive(pid) for pid in family)
    finally:
        server.kill()
