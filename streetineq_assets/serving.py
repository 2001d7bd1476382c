"""Dagster's processes for one study, started and stopped together: `streetineq serve`.

`dagster dev` starts a web server, a daemon, code servers and a worker for each run. They form a
process group of their own, so that one signal reaches all of them and none is left behind.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Mapping

from streetineq_assets.errors import InstanceError, StreetineqError
from streetineq_assets.instance.local_postgres import local_postgres
from streetineq_assets.instance.postgres_url import VARIABLE
from streetineq_assets.store import DataStore

GRACE_S = 20.0
# A run that starts while Postgres is away has a process that answers late, and is not to be failed.
LONG_ANSWERS = {"DAGSTER_GRPC_TIMEOUT_SECONDS": "360"}
_HOST = "127.0.0.1"
_LOOK_EVERY_S = 0.1
_SUPERSEDED = "Function `dev_command` is superseded"  # by `dg dev`, which is a tool for developers


def dagster_dev(workspace: str, port: int) -> list[str]:
    """The command that serves a workspace on 127.0.0.1."""
    command = [sys.executable, "-W", f"ignore:{_SUPERSEDED}", "-m", "dagster", "dev"]
    return [*command, "-w", workspace, "-h", _HOST, "-p", str(port)]


def require_free(port: int) -> None:
    """Refuse a port of 127.0.0.1 that another program listens on.

    Raises:
        StreetineqError: it is taken.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError as error:
            raise StreetineqError(
                f"port {port} cannot be used ({error.strerror}), most likely since another study "
                f"is served there: end that one, or name another by `--port {port + 1}`"
            ) from error


@contextlib.contextmanager
def own_postgres(store: DataStore) -> Generator[None]:
    """Keep the study's runs in a Postgres of its own meanwhile, for all that this process starts.

    Raises:
        InstanceError: the environment names another, or it cannot be started.
    """
    if VARIABLE in os.environ:
        raise InstanceError(f"{VARIABLE} names a Postgres: unset it, or leave out `--postgres`")
    with local_postgres(store.dagster_home / "postgres") as url:
        os.environ[VARIABLE] = url
        try:
            yield
        finally:
            del os.environ[VARIABLE]


def run_group(
    command: list[str], environment: Mapping[str, str], *, grace_s: float = GRACE_S
) -> int:
    """Run a command until it ends or this process is asked to stop; then end its whole group.

    Args:
        environment: variables beside those of this process.
        grace_s: seconds between asking the processes to end and killing them.

    Returns:
        The command's exit code; 0 when this process was asked to stop.
    """
    with _asked_to_stop() as asked:
        leader = subprocess.Popen(command, env=os.environ | environment, start_new_session=True)  # noqa: S603
        try:
            while leader.poll() is None and not asked:
                time.sleep(_LOOK_EVERY_S)
        finally:
            _end(leader, grace_s)
        return 0 if asked else leader.returncode


@contextlib.contextmanager
def _asked_to_stop() -> Generator[list[int]]:
    """The signals that end a process are noted in the list, and break nothing off."""
    wanted = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # `nohup` outlives its terminal
        wanted.append(signal.SIGHUP)
    asked: list[int] = []
    before = {number: signal.signal(number, lambda n, _: asked.append(n)) for number in wanted}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(leader: subprocess.Popen[bytes], grace_s: float) -> None:
    """Ask the group to end, wait, kill what is left of it."""
    deadline = time.monotonic() + grace_s
    there = _signal(leader, signal.SIGTERM)
    while there and time.monotonic() < deadline:
        time.sleep(_LOOK_EVERY_S)
        leader.poll()
        there = _signal(leader, 0)
    _signal(leader, signal.SIGKILL)
    leader.wait()


def _signal(leader: subprocess.Popen[bytes], number: int) -> bool:
    """Whether the group had a process that the signal reached."""
    try:
        os.killpg(leader.pid, number)
    except ProcessLookupError:
        return False
    return True
