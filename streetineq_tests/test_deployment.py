"""`streetineq deploy` writes services that the tools which read them accept, on loopback alone."""

import base64
import contextlib
import getpass
import http.server
import json
import os
import shlex
import shutil
import signal
import socket
import ssl
import stat
import string
import subprocess
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from typer.testing import CliRunner

from streetineq_assets.cli import app
from streetineq_assets.deployment import (
    DeploymentError,
    Services,
    compose_text,
    unit_word,
    write_services,
)
from streetineq_tests.folder_names import FOLDER_NAMES
from streetineq_tests.studies import new_study
from streetineq_tests.test_study import MINIMAL

AWKWARD = 'it\'s a "study" $HOME ${X} 100 %h [x] #1 = ü'
SERVICES = Services(host="example.org", port=3900, user="daemon")
UNITS = ("code", "daemon", "webserver", "readers")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The files of an awkwardly named study, and the study."""
    folder = tmp_path_factory.mktemp("services")
    store = new_study(folder / AWKWARD, MINIMAL)
    write_services(store, folder / "out dir", SERVICES)
    return folder / "out dir", store


def settings(unit: Path) -> dict[str, list[str]]:
    """Key to values of a unit, as they stand there."""
    lines = [line for line in unit.read_text().splitlines() if line and line[0] not in "#["]
    found: dict[str, list[str]] = {}
    for line in lines:
        key, _, value = line.partition("=")
        found.setdefault(key, []).append(value)
    return found


def words(text: str) -> list[str]:
    """A unit's line as systemd reads it: quoted words, then specifiers."""
    read = [word.replace("%%", "\0") for word in shlex.split(text)]
    assert not any("%" in word.replace("%C", "") for word in read), "a specifier"
    return [word.replace("\0", "%") for word in read]


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
            ["streetineq" if unit in ("webserver", "readers") else "dagster", *ports[unit]]
            if unit != "daemon"
            else ["dagster-daemon", "run", "--workspace", "/opt/streetineq/workspace.yaml"]
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


# -- by the programs that read them ----------------------------------------------------------------


def needs(program: str, package: str) -> str:
    found = shutil.which(program)
    if not found:
        pytest.skip(f"{program} is absent (Debian: {package})")
    return found


def test_systemd_accepts_the_units(written):
    folder, _ = written
    systemd = needs("systemd-analyze", "systemd")
    units = [str(folder / f"streetineq-{unit}.service") for unit in UNITS]
    done = subprocess.run(
        [systemd, "verify", *units, str(folder / "streetineq.target")],
        capture_output=True,
        text=True,
        check=False,
    )
    ours = [line for line in done.stderr.splitlines() if "streetineq" in line]
    assert (done.returncode, ours) == (0, [])


def test_compose_accepts_the_file_and_reads_the_study_from_it(written, tmp_path):
    folder, store = written
    compose = ["docker", "compose"]
    plugin = shutil.which("docker") and subprocess.run(
        [*compose, "version"], capture_output=True, check=False
    )
    if not plugin or plugin.returncode:
        compose = [needs("docker-compose", "docker-compose")]
    copy = shutil.copytree(folder, tmp_path / "out")
    version = subprocess.run([*compose, "--version"], capture_output=True, check=True).stdout
    if b"version 1." in version:
        text = (copy / "compose.yaml").read_text()  # which knows no top-level `name`
        (copy / "compose.yaml").write_text(text.replace("\nname: streetineq\n", "\n"))
    done = subprocess.run(
        [*compose, "config"], cwd=copy, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    read = yaml.safe_load(done.stdout)["services"]["webserver"]
    assert string.Template(read["environment"]["STREETINEQ_DATA"]).substitute() == str(store.root)


def with_certificate(folder: Path, target: Path) -> Path:
    """Settings of an nginx of its own, which includes ours with a certificate and two logins."""
    subprocess.run(
        [needs("openssl", "openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
         "-subj", "/CN=example.org", "-keyout", target / "key.pem",
         "-out", target / "certificate.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    for users in ("editors", "readers"):
        (target / users).write_text(f"{users}:{{PLAIN}}secret\n")
    text = (folder / "streetineq.nginx.conf").read_text()
    (target / "ours.conf").write_text(text.replace("/etc/nginx/streetineq", str(target)))
    temporary = "".join(
        f"{kind}_temp_path {target}/{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    main = target / "nginx.conf"
    main.write_text(
        f"user {getpass.getuser()}; daemon off; pid {target}/pid; events {{}}\n"
        f"http {{ access_log off; {temporary} include {target}/ours.conf; }}\n"
    )
    return main


def test_nginx_accepts_its_settings(written, tmp_path):
    folder, _ = written
    nginx = needs("nginx", "nginx-light")
    main = with_certificate(folder, tmp_path)
    done = subprocess.run(
        [nginx, "-t", "-e", tmp_path / "log", "-c", main],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr + (tmp_path / "log").read_text()


class Upstream(http.server.BaseHTTPRequestHandler):
    """A web server behind the proxy that answers with the headers it was sent."""

    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"port": self.server.server_port, **self.headers}).encode())

    def log_message(self, *_):
        pass


def free_ports(n: int) -> list[int]:
    with contextlib.ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(n)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


def ask(port: int, user: str | None) -> dict[str, str] | int:
    """The headers that reach the web server, or the status with which the proxy refuses."""
    request = urllib.request.Request(f"https://127.0.0.1:{port}/", headers={"Host": "example.org"})
    if user:
        login = base64.b64encode(f"{user}:secret".encode()).decode()
        request.add_header("Authorization", f"Basic {login}")
    context = ssl._create_unverified_context()
    try:
        with urllib.request.urlopen(request, context=context, timeout=10) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code


@pytest.mark.slow
def test_the_proxy_lets_nobody_through_without_a_login_and_readers_to_their_server_alone(tmp_path):
    """Real nginx, on free ports, before two stand-ins for the web servers."""
    nginx = needs("nginx", "nginx-light")
    out, made = tmp_path / "out", tmp_path / "nginx"
    made.mkdir()
    write_services(new_study(tmp_path / "study", MINIMAL), out, SERVICES)
    main, editors, readers = with_certificate(out, made), *free_ports(2)
    servers = [http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream) for _ in range(2)]
    text = (made / "ours.conf").read_text()
    for old, new in (
        ("listen [::]", "# listen"),
        ("listen 443", f"listen 127.0.0.1:{editors}"),
        ("listen 8443", f"listen 127.0.0.1:{readers}"),
        ("127.0.0.1:3900", f"127.0.0.1:{servers[0].server_port}"),
        ("127.0.0.1:3901", f"127.0.0.1:{servers[1].server_port}"),
    ):
        assert old in text
        text = text.replace(old, new)
    (made / "ours.conf").write_text(text)
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    proxy = subprocess.Popen([nginx, "-e", made / "log", "-c", main])
    try:
        deadline = time.monotonic() + 20
        while not _listens(editors) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert ask(editors, None) == 401
        assert ask(editors, "readers") == 401
        assert ask(readers, None) == 401
        through = ask(editors, "editors")
        assert (through["port"], through["Host"]) == (servers[0].server_port, "example.org")
        assert "Authorization" not in through
        assert ask(readers, "readers")["port"] == servers[1].server_port
    finally:
        proxy.terminate()
        proxy.wait(20)
        for server in servers:
            server.shutdown()
            server.server_close()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.slow
def test_the_code_server_of_the_unit_answers_through_the_workspace(tmp_path):
    store, out = new_study(tmp_path / "my study", MINIMAL), tmp_path / "out"
    write_services(store, out, SERVICES)
    place = str(tmp_path / "code.sock")
    (command,) = settings(out / "streetineq-code.service")["ExecStart"]
    command = [word.replace("/run/streetineq/code.sock", place) for word in words(command)]
    workspace = out / "workspace.yaml"
    workspace.write_text(workspace.read_text().replace("/run/streetineq/code.sock", place))
    study = {"STREETINEQ_DATA": str(store.root), "DAGSTER_HOME": str(store.dagster_home)}
    server = subprocess.Popen(command, env=os.environ | study, start_new_session=True)
    try:
        deadline = time.monotonic() + 60
        while not Path(place).exists() and time.monotonic() < deadline:
            time.sleep(0.2)
        dagster = [str(SERVICES.programs / "dagster"), "job", "list", "-w", str(workspace)]
        listed = subprocess.run(
            dagster, env=os.environ | study, capture_output=True, text=True, check=False
        )
        assert "train_and_predict" in listed.stdout, listed.stderr
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()
