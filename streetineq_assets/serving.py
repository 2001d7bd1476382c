"""Dagster's processes for one study, started and stopped together: `streetineq serve`.

A code server, which loads the study once for all; the web server behind the guard; the daemon; and
a worker for each run. They form a process group of their own, so that one signal reaches all of
them and none is left behind.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import yaml

from streetineq_assets.errors import InstanceError, StreetineqError
from streetineq_assets.instance.local_postgres import local_postgres
from streetineq_assets.instance.postgres_url import VARIABLE
from streetineq_assets.instance.study_instance import CODE_LOCATION
from streetineq_assets.store import DataStore

GRACE_S = 20.0
# A run that starts while Postgres is away has a process that answers late, and is not to be failed.
LONG_ANSWERS = {"DAGSTER_GRPC_TIMEOUT_SECONDS": "360"}
_HOST = "127.0.0.1"
_LOOK_EVERY_S = 0.1
_RESTART_AFTER_S = 5.0
_CODE_SERVER = ["dagster", "code-server", "start", "-m", "streetineq_assets.definitions"]
_DAEMON = ["streetineq_assets.cli", "daemon"]
_WEB_SERVER = ["streetineq_assets.cli", "webserver"]


class Services(NamedTuple):
    """The commands of one study.

    Attributes:
        code_server: started first, and again whenever it ends after it was up.
        others: that ask the code server, and end all when one of them ends.
        is_up: whether the code server was up.
    """

    code_server: Sequence[str]
    others: Sequence[Sequence[str]]
    is_up: Callable[[], bool]


@contextlib.contextmanager
def services(root: Path, port: int) -> Generator[Services]:
    """Those that serve a study on a port of 127.0.0.1, with a code server of their own."""
    with tempfile.TemporaryDirectory(prefix="streetineq-") as folder:
        listens, workspace = Path(folder, "code"), Path(folder, "workspace.yaml")
        server = {"socket": str(listens), "location_name": CODE_LOCATION}
        workspace.write_text(yaml.safe_dump({"load_from": [{"grpc_server": server}]}))
        level = ["--log-level", "warning"]
        study = ["--root", str(root), "--workspace", str(workspace)]
        yield Services(
            [sys.executable, "-m", *_CODE_SERVER, "--socket", str(listens), *level],
            [
                [sys.executable, "-m", *_DAEMON, *study],
                [sys.executable, "-m", *_WEB_SERVER, *study, "--port", str(port)],
            ],
            listens.exists,
        )


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


def run_services(
    wanted: Services, environment: Mapping[str, str], *, grace_s: float = GRACE_S
) -> int:
    """Run the services until one ends or this process is asked to stop; then end all of them.

    Args:
        environment: variables beside those of this process.
        grace_s: seconds between asking the processes to end and killing them.

    Returns:
        The exit code of the service that ended; 0 when this process was asked to stop.
    """

    def start(command: Sequence[str], group: int = 0) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603
            command, env=os.environ | environment, stdin=subprocess.DEVNULL, process_group=group
        )

    with _asked_to_stop() as asked:
        code_server, started = start(wanted.code_server), time.monotonic()
        group, others, ended = code_server.pid, [], []
        try:
            while not asked and not ended:
                if not others and wanted.is_up():
                    others = [start(command, group) for command in wanted.others]
                elif others and _is_due(code_server, started):
                    code_server, started = start(wanted.code_server, group), time.monotonic()
                time.sleep(_LOOK_EVERY_S)
                ended = [each for each in others or [code_server] if each.poll() is not None]
        finally:
            _end(group, [code_server, *others], grace_s)
        return 0 if asked else ended[0].returncode


def _is_due(code_server: subprocess.Popen[bytes], started: float) -> bool:
    """Whether it has ended, and was not started a moment ago."""
    return code_server.poll() is not None and time.monotonic() > started + _RESTART_AFTER_S


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


def _end(group: int, started: Sequence[subprocess.Popen[bytes]], grace_s: float) -> None:
    """Ask the group to end, wait, kill what is left of it."""
    deadline = time.monotonic() + grace_s
    there = _signal(group, signal.SIGTERM)
    while there and time.monotonic() < deadline:
        time.sleep(_LOOK_EVERY_S)
        for service in started:
            service.poll()
        there = _signal(group, 0)
    _signal(group, signal.SIGKILL)
    for service in started:
        service.wait()


def _signal(group: int, number: int) -> bool:
    """Whether the group had a process that the signal reached."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    return True
