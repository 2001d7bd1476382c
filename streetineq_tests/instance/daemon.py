"""Dagster's real daemon on the tiny code location, with the code server and runs that it starts."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import yaml

from streetineq_assets.serving import LONG_ANSWERS

DAGSTER = [sys.executable, "-W", "ignore", "-m", "dagster"]


def write_workspace(folder: Path) -> Path:
    module = {"module_name": "streetineq_tests.instance.tiny", "location_name": "tiny"}
    file = folder / "workspace.yaml"
    file.write_text(yaml.safe_dump({"load_from": [{"python_module": module}]}))
    return file


def at_once(home: Path, n_runs: int) -> None:
    """Let the instance start so many runs at a time, of one back-fill too."""
    file = home / "dagster.yaml"
    settings = yaml.safe_load(file.read_text())
    settings["concurrency"]["runs"] = {"max_concurrent_runs": n_runs}
    settings["concurrency"]["pools"]["default_limit"] = n_runs
    settings["run_queue"]["user_code_failure_retry_delay"] = 5
    file.write_text(yaml.safe_dump(settings))


@contextlib.contextmanager
def daemon(home: Path, workspace: Path, log: Path) -> Iterator[subprocess.Popen]:
    """A daemon in a process group of its own, ended with all that it started."""
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "dagster._daemon", "run", "-w", str(workspace)],
            env=os.environ | LONG_ANSWERS | {"DAGSTER_HOME": str(home)},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=30)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def ask(home: Path, *command: str) -> None:
    """A command of Dagster's own, such as `job launch`."""
    done = subprocess.run(
        [*DAGSTER, *command],
        env=os.environ | {"DAGSTER_HOME": str(home)},
        input="y\n",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def wait_for(condition: Callable[[], bool], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.5)


def command_lines(group: int) -> str:
    """The command lines of all processes of a group, which any user of the machine can read."""
    listed = subprocess.run(
        ["ps", "-ww", "-eo", "pgid,args"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    return "\n".join(line for line in listed if line.split()[0] == str(group))
