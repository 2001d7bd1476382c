"""`serve --postgres`: a server of the study's own, started and stopped with the UI."""

import os
import signal
import subprocess
import sys
import time

import dagster as dg
import pytest

from streetineq_assets.errors import InstanceError
from streetineq_assets.instance import local_postgres as module
from streetineq_assets.instance.local_postgres import find_binaries, local_postgres
from streetineq_assets.instance.postgres_url import VARIABLE
from streetineq_assets.serving import own_postgres
from streetineq_assets.store import DataStore
from streetineq_assets.study_template import ensure_instance
from streetineq_tests.served import free_port
from streetineq_tests.test_serving import alive, descendants
from streetineq_tests.test_study import MINIMAL, write


@pytest.fixture
def installed():
    try:
        find_binaries()
    except InstanceError as error:
        pytest.skip(str(error))


def test_where_none_is_installed_the_remedy_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(module, "_DEBIAN", tmp_path)
    with pytest.raises(InstanceError, match="apt-get install postgresql"):
        find_binaries()


def test_the_newest_of_debians_versions_is_taken(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(module, "_DEBIAN", tmp_path)
    for version in ("9.6", "13", "17"):
        (tmp_path / version / "bin").mkdir(parents=True)
        (tmp_path / version / "bin" / "initdb").touch()
    (tmp_path / "18" / "bin").mkdir(parents=True)
    assert find_binaries() == tmp_path / "17" / "bin"


def test_root_without_the_user_of_postgres_is_told_so(monkeypatch):
    def nobody(name):
        raise KeyError(name)

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(module.pwd, "getpwnam", nobody)
    with pytest.raises(InstanceError, match="does not run as root"):
        module._unprivileged()


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    folder = tmp_path / "file" / "postgres"
    with pytest.raises(InstanceError, match=r"file cannot be written"), local_postgres(folder):
        pass


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """Stand-ins for Postgres' programs: each is some lines of shell."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setattr(module, "_unprivileged", lambda: None)

    def write_program(name, line):
        (folder / name).write_text(f"#!/bin/sh\n{line}\n")
        (folder / name).chmod(0o755)

    write_program("initdb", 'echo 15 > "$2/PG_VERSION"')
    up = tmp_path / "up"
    server = (
        "import pathlib, signal, sys; signal.signal(signal.SIGINT, lambda *_: sys.exit()); "
        f"pathlib.Path('{up}').touch(); signal.pause()"
    )
    write_program("postgres", f'exec {sys.executable} -c "{server}"')
    write_program("pg_isready", f"test -e {up}")
    return write_program


def test_a_server_is_stopped_with_its_caller(tmp_path, programs):
    folder = tmp_path / "home" / "postgres"
    with local_postgres(folder) as url:
        assert url.startswith("postgresql://streetineq@/")
        assert "listen" not in url
        with pytest.raises(InstanceError, match="another process"), local_postgres(folder):
            pass
    assert folder.stat().st_mode & 0o077 == 0, "for this user alone"


@pytest.mark.parametrize(
    ("program", "line", "said"),
    [
        ("initdb", "echo 'initdb: error: no room. ' >&2; exit 1", "make a database in .*: no room"),
        (
            "postgres",
            "echo 'x FATAL:  old files.'; echo 'x DETAIL:  Of 9.'; echo 'x HINT: no'; exit 1",
            r"does not start in .*: old files: Of 9\. Mend",
        ),
    ],
)
def test_a_server_that_does_not_start_says_why(tmp_path, programs, program, line, said):
    programs("pg_isready", "exit 2")
    programs(program, line)
    with pytest.raises(InstanceError, match=said), local_postgres(tmp_path / "postgres"):
        pass


def test_serving_names_its_own_postgres_to_what_it_starts(tmp_path, programs, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    with own_postgres(DataStore(tmp_path)):
        assert os.environ[VARIABLE].startswith("postgresql://streetineq@/")
    assert VARIABLE not in os.environ


@pytest.mark.slow
@pytest.mark.usefixtures("installed")
class TestServer:
    def test_what_is_in_it_stays(self, open_folder, home, monkeypatch):
        for n_before in range(2):
            with local_postgres(open_folder / "x, it's Zoë's [$HOME]") as url:
                monkeypatch.setenv(VARIABLE, url)
                with dg.DagsterInstance.from_config(str(home)) as instance:
                    assert instance.get_runs_count() == n_before
                    instance.add_run(dg.DagsterRun("job"))

    def test_two_do_not_run_on_one_folder(self, open_folder):
        with (
            local_postgres(open_folder / "postgres"),
            pytest.raises(InstanceError, match="another process"),
            local_postgres(open_folder / "postgres"),
        ):
            pass

    def test_a_server_whose_starter_was_killed_is_ended_first(self, open_folder):
        folder = open_folder / "postgres"
        script = (
            "import sys, time; from pathlib import Path; "
            "from streetineq_assets.instance.local_postgres import local_postgres\n"
            f"with local_postgres(Path({str(folder)!r})): print('up', flush=True); time.sleep(60)"
        )
        starter = subprocess.Popen(
            [sys.executable, "-c", script],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"TMPDIR": str(open_folder)},  # it cannot sweep its socket's folder
        )
        assert starter.stdout.readline() == "up\n"
        orphan = int((folder / "postmaster.pid").read_text().splitlines()[0])
        starter.kill()
        starter.communicate()
        assert alive(orphan)
        with local_postgres(folder):
            assert not alive(orphan)

    def test_a_cluster_of_another_version_is_named_with_the_reason(self, open_folder):
        folder = open_folder / "postgres"
        with local_postgres(folder):
            pass
        (folder / "PG_VERSION").write_text("9.6\n")
        with pytest.raises(InstanceError, match=r"9\.6"), local_postgres(folder):
            pass

    def test_serve_starts_and_stops_it(self, open_folder, monkeypatch):
        monkeypatch.delenv(VARIABLE, raising=False)
        write(open_folder, MINIMAL)
        store = DataStore(open_folder)
        ensure_instance(store)
        command = [sys.executable, "-c", "from streetineq_assets.cli import app; app()", "serve"]
        arguments = ["--root", str(store.root), "--port", str(free_port()), "--postgres"]
        server = subprocess.Popen(
            [*command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        try:
            seen = set()
            deadline = time.monotonic() + 120
            while "daemon" not in names(seen) and time.monotonic() < deadline:
                time.sleep(0.5)
                seen |= descendants(server.pid)
            assert "bin/postgres" in names(seen)
            server.send_signal(signal.SIGINT)
            printed, _ = server.communicate(timeout=90)
        finally:
            server.kill()
        assert server.returncode == 0, printed
        assert "postgresql://" not in printed
        assert not any(alive(pid) for pid in seen)
        assert not (store.dagster_home / "history").exists()
        assert (store.dagster_home / "postgres" / "PG_VERSION").exists()


def names(pids):
    """The command lines of processes."""
    if not pids:
        return ""
    listed = subprocess.run(
        ["ps", "-ww", "-o", "args=", "-p", ",".join(map(str, pids))],
        capture_output=True,
        text=True,
        check=False,
    )
    return listed.stdout
