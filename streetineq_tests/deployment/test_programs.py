"""The programs that read the services accept them, and serve as they are told."""

import base64
import contextlib
import getpass
import http.server
import json
import os
import shutil
import signal
import socket
import ssl
import string
import subprocess
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import yaml

from streetineq_assets.deployment import (
    write_services,
)
from streetineq_tests.deployment.units import SERVICES, UNITS, settings, words
from streetineq_tests.studies import new_study
from streetineq_tests.test_study import MINIMAL


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
