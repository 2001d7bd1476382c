"""What `streetineq deploy` writes: services on loopback alone, for a study of any name."""

import stat
import string

import pytest
import yaml
from hypothesis import given
from typer.testing import CliRunner

from streetineq_assets.cli import app
from streetineq_assets.deployment import (
    DeploymentError,
    compose_text,
    unit_word,
    write_services,
)
from streetineq_tests.deployment.units import SERVICES, UNITS, settings, words
from streetineq_tests.folder_names import FOLDER_NAMES
from streetineq_tests.studies import new_study
from streetineq_tests.test_study import MINIMAL


def test_what_is_written(written):
    folder, _ = written
    assert {path.name for path in folder.iterdir()} == {
        *(f"streetineq-{unit}.service" for unit in UNITS),
        "streetineq.target",
        "streetineq.nginx.conf",
        "streetineq.env",
        "compose.yaml",
        "Dockerfile",
        "workspace.yaml",
    }


def test_units_name_the_study_and_may_write_nowhere_else(written):
    folder, store = written
    for unit in UNITS:
        found = settings(folder / f"streetineq-{unit}.service")
        variables = dict(v.split("=", 1) for line in found["Environment"] for v in words(line))
        assert variables["STREETINEQ_DATA"] == str(store.root)
        assert variables["DAGSTER_HOME"] == str(store.dagster_home)
        writable = [path for line in found["ReadWritePaths"] for path in words(line)]
        assert writable == [str(store.root)] + (["/tmp"] if unit == "code" else [])
        assert found["ProtectSystem"] == ["strict"]
        assert found["NoNewPrivileges"] == ["true"]
        assert found["User"] == ["daemon"]


def test_the_code_server_keeps_its_gpus_and_their_leases(written):
    """ProtectClock implies a list of allowed devices, in which GPUs are not."""
    folder, _ = written
    found = settings(folder / "streetineq-code.service")
    assert not {"PrivateDevices", "PrivateTmp", "ProtectClock", "DeviceAllow"} & found.keys()
    others = [settings(folder / f"streetineq-{unit}.service") for unit in UNITS if unit != "code"]
    assert all(unit["PrivateDevices"] == unit["PrivateTmp"] == ["true"] for unit in others)


def test_stopping_reaches_the_runs_that_the_code_server_started(written):
    """SIGTERM to the first process alone leaves them running, and to Dagster they run for ever."""
    folder, _ = written
    found = settings(folder / "streetineq-code.service")
    assert (found["KillMode"], found["TimeoutStopSec"]) == (["control-group"], ["30"])
    assert found["OOMPolicy"] == ["continue"]
    compose = yaml.safe_load((folder / "compose.yaml").read_text())["services"]["code"]
    assert compose["init"]
    assert compose["environment"]["TINI_KILL_PROCESS_GROUP"] == "1"


def test_everything_listens_on_loopback_or_on_a_socket(written):
    folder, store = written
    ports = {}
    for unit in UNITS:
        (command,) = settings(folder / f"streetineq-{unit}.service")["ExecStart"]
        ports[unit] = words(command)[1:]
    study = ["--root", "${STREETINEQ_DATA}", "--workspace", "${STREETINEQ_WORKSPACE}"]
    web = ["webserver", *study, "--host", "127.0.0.1", "--port"]
    assert ports["webserver"] == [*web, "3900"]
    assert ports["readers"] == [*web, "3901", "--read-only"]
    assert ports["code"][:4] == ["code-server", "start", "--socket", "/run/streetineq/code.sock"]
    (location,) = yaml.safe_load((folder / "workspace.yaml").read_text())["load_from"]
    assert location["grpc_server"]["socket"] == "/run/streetineq/code.sock"
    compose = yaml.safe_load((folder / "compose.yaml").read_text())["services"]
    assert compose["postgres"]["ports"] == ["127.0.0.1:5432:5432"]
    for unit in UNITS:
        assert "ports" not in compose[unit]
        command = [string.Template(word).substitute() for word in compose[unit]["command"]]
        named = {
            "STREETINEQ_DATA": str(store.root),
            "STREETINEQ_WORKSPACE": "/opt/streetineq/workspace.yaml",
        }
        assert command == [string.Template(word).safe_substitute(named) for word in (
            ["dagster" if unit == "code" else "streetineq", *ports[unit]]
        )]  # fmt: skip


def test_secrets_are_readable_by_their_owner_alone_and_in_no_other_file(written):
    folder, _ = written
    file = folder / "streetineq.env"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    values = dict(line.split("=", 1) for line in file.read_text().splitlines() if line[0] != "#")
    password = values["POSTGRES_PASSWORD"]
    assert len(password) >= 24
    assert f":{password}@127.0.0.1:5432/" in values["STREETINEQ_POSTGRES_URL"]
    others = [path for path in folder.iterdir() if path != file]
    assert not any(password in path.read_text() for path in others)


def test_what_is_there_is_replaced_by_force_alone_and_secrets_never(tmp_path):
    store, folder = new_study(tmp_path / "study", MINIMAL), tmp_path / "out"
    folder.mkdir()
    (folder / "streetineq.env").write_text("MINE=1\n")
    (folder / "compose.yaml").write_text("mine")
    with pytest.raises(DeploymentError, match=r"compose\.yaml already.*--force"):
        write_services(store, folder, SERVICES)
    assert {path.name for path in folder.iterdir()} == {"streetineq.env", "compose.yaml"}
    write_services(store, folder, SERVICES, force=True)
    assert (folder / "compose.yaml").read_text() != "mine"
    assert (folder / "streetineq.env").read_text() == "MINE=1\n"
    assert stat.S_IMODE((folder / "streetineq.env").stat().st_mode) == 0o600


@given(FOLDER_NAMES)
def test_a_folder_is_read_back_as_it_is_called(name):
    path = f"/srv/{name}"
    if path.isprintable() and "\\" not in path:  # others are refused
        assert words(unit_word(path)) == [path]
        assert string.Template(yaml.safe_load(compose_text(path))).substitute() == path


@pytest.mark.parametrize("name", ["a\nb", "a\\b", "a\u2028b"])
def test_folders_that_cannot_be_written_for_certain_are_refused(tmp_path, name):
    store = new_study(tmp_path / name, MINIMAL)
    with pytest.raises(DeploymentError, match="rename it"):
        write_services(store, tmp_path / "out", SERVICES)
    assert not (tmp_path / "out").exists()


def test_a_folder_of_services_that_systemd_would_take_for_a_pattern_is_refused(tmp_path):
    store = new_study(tmp_path / "study [1]", MINIMAL)
    with pytest.raises(DeploymentError, match=r"'\['"):
        write_services(store, tmp_path / "out [1]", SERVICES)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--name", "My Study"], "--name 'My Study'"),
        (["--host", "a;b"], "--host 'a;b'"),
        (["--user", "nobody-of-this-name"], "nobody-of-this-name is no user"),
        (["--user", "root"], "would run as root"),
    ],
)
def test_the_command_refuses_in_one_line(tmp_path, arguments, told):
    store = new_study(tmp_path / "study", MINIMAL)
    command = ["deploy", str(tmp_path / "out"), "--root", str(store.root)]
    user = [] if "--user" in arguments else ["--user", "daemon"]
    result = CliRunner().invoke(app, [*command, *user, *arguments])
    assert result.exit_code == 1
    assert told in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_the_command_says_what_to_do_next(tmp_path):
    store = new_study(tmp_path / "study", MINIMAL)
    command = ["deploy", str(tmp_path / "out"), "--root", str(store.root), "--user", "daemon"]
    result = CliRunner().invoke(app, [*command, "--name", "mine", "--host", "example.org"])
    assert result.exit_code == 0, result.output
    assert f"systemctl link {tmp_path}/out/mine-*.service" in result.stdout
    assert "https://example.org:8443" in result.stdout
