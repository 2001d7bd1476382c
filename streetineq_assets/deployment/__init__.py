"""Services of a study: systemd units, a compose file, and a proxy's settings (`streetineq deploy`).

Web servers, daemon, code server and Postgres listen on loopback or on a socket; nginx before them
asks for a login. The texts are the templates beside this module. A study's folder may have any name
that the rest of the platform takes; each syntax has a function here that quotes for it.
"""

import json
import os
import pwd
import re
import secrets
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

from streetineq_assets.errors import StreetineqError, clear_disk_errors
from streetineq_assets.store import DataStore
from streetineq_assets.study import load_study
from streetineq_assets.study_template import ensure_instance

NAME = "streetineq"
PORT = 3000
_UNITS = ("code", "daemon", "webserver", "readers")
_FORMS = {
    "name": (r"[a-z][a-z0-9-]{0,30}", "lower-case letters, digits and hyphens"),
    "host": (r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?", "a name in the DNS, such as example.org"),
}
_OF_PATTERNS = "*?[]{}"  # systemd looks for an EnvironmentFile by pattern
_OF_PROGRAMS = "$\\\"'"  # of which systemd takes a program's own path to be made only partly


class DeploymentError(StreetineqError):
    """Services cannot be written as asked: the message names what is in the way."""


@dataclass(frozen=True)
class Services:
    """What a study's services are called and where they are reached.

    Attributes:
        name: of units, image, database and proxy settings; one for each study of a machine.
        host: the DNS name under which the proxy answers.
        port: on 127.0.0.1, of the web server; the next is the read-only one's.
        user: whom the services run as; by default the owner of the study's folder.
        programs: the folder of `streetineq` and `dagster`; by default this Python's.
    """

    name: str = NAME
    host: str = "localhost"
    port: int = PORT
    user: str | None = None
    programs: Path = Path(sys.prefix, "bin")


def write_services(
    store: DataStore, folder: Path, services: Services, *, force: bool = False
) -> list[str]:
    """Write the files of a study's services into a folder; secrets that are there are kept.

    Args:
        force: replace files that are there, but the secrets.

    Returns:
        Lines that say what to do next.

    Raises:
        StudyError: there is no study, or its folder has a name that the instance cannot have.
        DeploymentError: a file is there, or a name or folder cannot be written into the files.
        StoreError: the folder cannot be written.
    """
    load_study(store.study_file)
    ensure_instance(store)
    folder = folder.resolve()
    owner = _owner(store, services)
    _refuse_odd_names(store, folder, services)
    texts = _texts(store, folder, services, owner)
    existing = [name for name in texts if (folder / name).exists()]
    if existing and not force:
        raise DeploymentError(
            f"{folder} has {', '.join(existing)} already: name another folder, or replace them by "
            f"--force, which keeps {services.name}.env"
        )
    with clear_disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
        _write_secrets(folder / f"{services.name}.env", services)
    return list(_next_steps(folder, services))


# -- quoting ---------------------------------------------------------------------------------------


def specifiers(text: str) -> str:
    """Text for the rest of a line of a systemd unit, where `%h` and the like are specifiers."""
    return text.replace("%", "%%")


def unit_word(text: str) -> str:
    """One word of a line of a systemd unit; in `ExecStart=`, `$` would be a variable."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{specifiers(escaped)}"'


def compose_text(text: str) -> str:
    """A text in a compose file: a YAML scalar in which `$` is no variable."""
    return json.dumps(text.replace("$", "$$"), ensure_ascii=False)


# -- what is refused -------------------------------------------------------------------------------


def _refuse_odd_names(store: DataStore, folder: Path, services: Services) -> None:
    for key, (form, meaning) in _FORMS.items():
        value = getattr(services, key)
        if not re.fullmatch(form, value):
            raise DeploymentError(f"--{key} {value!r}: expected {meaning}")
    folders = {store.root: "", folder: _OF_PATTERNS, services.programs: _OF_PROGRAMS}
    for path, odd in folders.items():
        wrong = [c for c in str(path) if c in odd or c == "\\" or not c.isprintable()]
        if wrong:
            raise DeploymentError(
                f"{path}: units and compose files cannot name a folder with {wrong[0]!r} in its "
                "name for certain: rename it, or take another"
            )


def _owner(store: DataStore, services: Services) -> pwd.struct_passwd:
    """The account that services run as."""
    try:
        owner = (
            pwd.getpwnam(services.user) if services.user else pwd.getpwuid(store.root.stat().st_uid)
        )
    except KeyError as error:
        who = services.user or f"the owner of {store.root}"
        raise DeploymentError(
            f"{who} is no user of this machine: make an account (`adduser --system --group "
            f"{services.name}`) and name it by --user"
        ) from error
    if owner.pw_uid == 0:
        raise DeploymentError(
            f"services would run as root, the owner of {store.root}: name another account by "
            "--user, and give it the study by `chown -R`"
        )
    return owner


# -- files -----------------------------------------------------------------------------------------


def _texts(
    store: DataStore, folder: Path, services: Services, owner: pwd.struct_passwd
) -> dict[str, str]:
    """Name of each file, but the secrets, to its text."""
    name = services.name
    values = {
        "name": name,
        "variable": name.replace("-", "_"),
        "database": name.replace("-", "_"),
        "host": services.host,
        "port": services.port,
        "readers_port": services.port + 1,
        "user": owner.pw_name,
        "uid": owner.pw_uid,
        "gid": owner.pw_gid,
        "root": str(store.root),
        "dagster_home": str(store.dagster_home),
        "workspace": str(folder / "workspace.yaml"),
        "secrets": str(folder / f"{name}.env"),
        "socket": f"/run/{name}/code.sock",
        "program": lambda program: unit_word(str(services.programs / program)),
    }
    templates = {f"{name}-{unit}.service": f"{unit}.service" for unit in _UNITS}
    templates |= {f"{name}.target": "target", f"{name}.nginx.conf": "nginx.conf"}
    templates |= {each: each for each in ("workspace.yaml", "compose.yaml", "Dockerfile")}
    return {file: _render(template, **values) for file, template in templates.items()}


def _render(template: str, **values: Any) -> str:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(__name__),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - no HTML; each syntax has its own filter
    )
    environment.filters |= {
        "word": unit_word,
        "specifiers": specifiers,
        "compose": compose_text,
    }
    return environment.get_template(f"{template}.j2").render(values)


def _write_secrets(file: Path, services: Services) -> None:
    """Nobody else may read it at any moment; a file that is there keeps its content."""
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        file.chmod(0o600)
        return
    text = _render(
        "secrets.env",
        database=services.name.replace("-", "_"),
        password=secrets.token_urlsafe(24),
    )
    with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
        opened.write(text)


def _next_steps(folder: Path, services: Services) -> Iterator[str]:
    name = services.name
    yield f"Services of the study are in {folder}; none is started. Next, as root:"
    yield f"1. nginx: {name}.nginx.conf says where it goes, and where certificate and logins."
    yield f"2. Postgres: make the role and the database that {name}.env names, or, for SQLite,"
    yield "   delete its first line."
    units = f"{shlex.quote(str(folder))}/{name}"
    yield f"3. `systemctl link {units}-*.service {units}.target`, then"
    yield f"   `systemctl enable --now {name}-code {name}-daemon {name}-webserver {name}-readers"
    yield f"   {name}.target`. Or, with Docker instead of 2 and 3: Dockerfile, compose.yaml."
    yield f"The UI is then on https://{services.host}, for readers on https://{services.host}:8443."
