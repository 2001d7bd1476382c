"""What is written for which study, and how systemd reads a unit."""

import shlex
from pathlib import Path

from streetineq_assets.deployment import (
    Services,
)

AWKWARD = 'it\'s a "study" $HOME ${X} 100 %h [x] #1 = ü'
SERVICES = Services(host="example.org", port=3900, user="daemon")
UNITS = ("code", "daemon", "webserver", "readers")


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
