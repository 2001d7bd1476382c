"""A Postgres for one study, started and stopped with `streetineq serve --postgres`, to try it out.

It has no port and no password: it listens on a Unix socket in a folder that this user alone enters.
"""

import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from streetineq_assets.errors import InstanceError

SUPERUSER = "streetineq"
DATABASE = "postgres"  # initdb makes it
_DEBIAN = Path("/usr/lib/postgresql")
_WRONG, _DETAIL = re.compile("FATAL:|error:"), "DETAIL:"
_START_S = 60.0
_LOOK_EVERY_S = 0.1


@contextmanager
def local_postgres(folder: Path) -> Generator[str]:
    """Run a server on the cluster in a folder, which is made on first use; its URL.

    Raises:
        InstanceError: Postgres is not installed, does not start, or runs on this folder already.
    """
    lock = FileLock(folder.with_suffix(".lock"), timeout=0)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise InstanceError(
            f"another process runs the Postgres in {folder}: end that one first"
        ) from None
    except OSError as error:
        raise InstanceError(
            f"{folder.parent} cannot be written ({error.strerror}): give this user the right to"
        ) from error
    with lock, tempfile.TemporaryDirectory(prefix="streetineq-postgres-") as socket:
        cluster = Cluster(folder, Path(socket))
        cluster.start()
        try:
            yield f"postgresql://{SUPERUSER}@/{DATABASE}?host={socket}"
        finally:
            cluster.stop()


class Cluster:
    """The databases in one folder, and the server on them.

    Args:
        folder: of the data; made by the first start.
        socket: folder of the socket. Nothing but the rights to enter it guards the databases.
        settings: of the server, beside those in `postgresql.conf`.

    Raises:
        InstanceError: Postgres is not installed, or there is no user that it can run as.
    """

    def __init__(
        self, folder: Path, socket: Path, settings: Mapping[str, str] | None = None
    ) -> None:
        self.folder, self.socket = folder, socket
        self._settings = {"listen_addresses": ""} | dict(settings or {})
        self._binaries, self._user = find_binaries(), _unprivileged()
        self._server: subprocess.Popen[Any] | None = None

    def start(self) -> None:
        """Start the server, and end one that a killed process left behind.

        Raises:
            InstanceError: it does not start; the message has the reason.
        """
        self._hand_over(self.socket)
        if not (self.folder / "PG_VERSION").exists():
            self._make()
        if (self.folder / "postmaster.pid").exists():
            self._call("pg_ctl", "stop", "-D", str(self.folder), "-m", "fast")
        log = self.folder / "server.log"
        settings = [f"--{name}={value}" for name, value in self._settings.items()]
        command = [self._program("postgres"), "-D", str(self.folder), "-k", str(self.socket)]
        with log.open("wb") as output:
            self._server = subprocess.Popen(  # noqa: S603
                [*command, *settings],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C is for the caller, who stops it last
                **self._process(),
            )
        if not self._is_ready():
            self.stop()
            said = _last(log.read_text(encoding="utf-8", errors="replace"))
            raise InstanceError(
                f"Postgres does not start in {self.folder}: {said}. Mend that, or remove the "
                "folder, and with it the history of its runs"
            )

    def stop(self) -> None:
        """End the server: it breaks connections off, and writes what it holds."""
        if self._server is not None:
            self._server.send_signal(signal.SIGINT)  # to one that has ended nothing is sent
            self._server.wait()

    def _make(self) -> None:
        self.folder.mkdir(mode=0o700, exist_ok=True)
        self._hand_over(self.folder)
        options = [f"--username={SUPERUSER}", "--auth=trust", "--encoding=UTF8", "--locale=C"]
        made = self._call("initdb", "-D", str(self.folder), *options)
        if made.returncode:
            said = _last(made.stderr)
            raise InstanceError(f"Postgres cannot make a database in {self.folder}: {said}")

    def _is_ready(self) -> bool:
        """Wait until the server answers; false where it ended or took too long."""
        deadline = time.monotonic() + _START_S
        port = self._settings.get("port", "5432")
        while self._server and self._server.poll() is None and time.monotonic() < deadline:
            asked = self._call("pg_isready", "-q", "-h", str(self.socket), "-p", port)
            if asked.returncode == 0:
                return True
            time.sleep(_LOOK_EVERY_S)
        return False

    def _hand_over(self, folder: Path) -> None:
        if self._user:
            shutil.chown(folder, self._user, self._user)

    def _call(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603
            [self._program(program), *arguments],
            capture_output=True,
            text=True,
            check=False,
            **self._process(),
        )

    def _program(self, name: str) -> str:
        return str(self._binaries / name)

    def _process(self) -> dict[str, Any]:
        """Arguments of a process: its user, English messages, a folder that any user may enter."""
        other = {"user": self._user, "group": self._user, "extra_groups": []} if self._user else {}
        return {"env": os.environ | {"LC_ALL": "C"}, "cwd": "/", **other}


def find_binaries() -> Path:
    """The folder of Postgres' programs: that on the path, else the newest of Debian's.

    Raises:
        InstanceError: there is none.
    """
    initdb = shutil.which("initdb")
    if initdb:
        return Path(initdb).resolve().parent
    versions = [path for path in _DEBIAN.glob("*/bin") if (path / "initdb").exists()]
    if not versions:
        raise InstanceError(
            "Postgres is not installed: install it (`apt-get install postgresql`), or name a "
            "server by STREETINEQ_POSTGRES_URL"
        )
    return max(versions, key=lambda path: float(path.parent.name))


def _unprivileged() -> str | None:
    """The user whom a server runs as, where this process is root: Postgres refuses root."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres").pw_name
    except KeyError:
        raise InstanceError(
            "Postgres does not run as root, and there is no user `postgres` in its place: start "
            "this as another user"
        ) from None


def _last(output: str) -> str:
    """What is wrong: the last error with its detail, without the time; hints follow it."""
    lines = output.strip().splitlines() or ["it does not say why"]
    at = max((n for n, line in enumerate(lines) if _WRONG.search(line)), default=len(lines) - 1)
    said = [_WRONG.split(lines[at])[-1]]
    said += [line.partition(_DETAIL)[2] for line in lines[at + 1 : at + 2] if _DETAIL in line]
    return ": ".join(part.strip().rstrip(".") for part in said)
