"""A Postgres for a test, with a port and a password, on which nothing but the test's runs lie."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from streetineq_assets.errors import InstanceError
from streetineq_assets.instance.local_postgres import SUPERUSER, Cluster, find_binaries
from streetineq_assets.instance.postgres_url import VARIABLE
from streetineq_assets.store import DataStore
from streetineq_assets.study_template import ensure_instance
from streetineq_tests.served import free_port

PASSWORD = "p@ss:word/1"
QUOTED = "p%40ss%3Aword%2F1"
SECRETS = (PASSWORD, QUOTED)


class Postgres(Cluster):
    """A cluster whose users need a password; `url` names its database `runs`."""

    def __init__(self, folder: Path, socket_folder: Path) -> None:
        self.port = free_port()
        settings = {"port": str(self.port), "listen_addresses": "127.0.0.1"}
        super().__init__(folder, socket_folder, settings)

    @property
    def url(self) -> str:
        return f"postgresql://researcher:{QUOTED}@127.0.0.1:{self.port}/runs"

    def prepare(self) -> None:
        """Start it, with a user who needs a password."""
        self.start()
        self.psql(f"CREATE ROLE researcher LOGIN PASSWORD '{PASSWORD}'")
        self.psql("CREATE DATABASE runs OWNER researcher")
        (self.folder / "pg_hba.conf").write_text(
            "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
        )
        self.psql("SELECT pg_reload_conf()")

    def psql(self, statement: str) -> str:
        arguments = [
            "-h",
            str(self.socket),
            "-p",
            str(self.port),
            "-U",
            SUPERUSER,
            "-d",
            "postgres",
        ]
        asked = subprocess.run(
            [str(find_binaries() / "psql"), *arguments, "-Atc", statement],
            capture_output=True,
            text=True,
            check=True,
        )
        return asked.stdout.strip()


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that Postgres' own user may enter, who is another where tests are run by root."""
    with tempfile.TemporaryDirectory(prefix="streetineq-tests-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture
def postgres(open_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Postgres]:
    """A running Postgres, named by the environment; skipped where none is installed."""
    (open_folder / "socket").mkdir()
    try:
        server = Postgres(open_folder / "cluster", open_folder / "socket")
    except InstanceError as error:
        pytest.skip(str(error))
    server.prepare()
    monkeypatch.setenv(VARIABLE, server.url)
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The folder of a study's instance, with the settings of the template."""
    store = DataStore(tmp_path)
    with pytest.MonkeyPatch.context() as patched:
        patched.delenv(VARIABLE, raising=False)
        ensure_instance(store)
    os.environ.pop("DAGSTER_HOME", None)
    return store.dagster_home
