"""The files of a study: those that `init`, `run`, `serve` and `demo` copy into a new folder."""

import re
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import yaml

from streetineq_assets.errors import StudyError
from streetineq_assets.store import INPUT_FOLDERS, DataStore

MEND_INSTANCE = "Mend it, or remove it: `streetineq run` and `serve` write a new one"

_URL_SYNTAX = re.compile(r"[?]|%[0-9A-Fa-f]{2}")
_FILES = ("study.toml", "README.md", "dagster_home/dagster.yaml")


def write_study_template(folder: Path) -> None:
    """Make a new study: the paper's settings, a guide to the inputs, empty folders for them.

    Raises:
        StudyError: the folder exists and is not empty.
    """
    if folder.exists() and any(folder.iterdir()):
        raise StudyError(f"{folder} is not empty: name a new folder")
    for name in _FILES:
        _copy(name, folder / name)
    for name in INPUT_FOLDERS:
        (folder / "inputs" / name).mkdir(parents=True)


def ensure_instance(store: DataStore) -> None:
    """Give a study the instance settings that it lacks; those that it has stay.

    Raises:
        StudyError: the study's runs would lie elsewhere than in its folder.
    """
    _require_path_in_url(store)
    if not store.instance_file.exists():
        _copy("dagster_home/dagster.yaml", store.instance_file)


def environment(store: DataStore) -> dict[str, str]:
    """The variables by which Dagster's processes know the study."""
    return {"STREETINEQ_DATA": str(store.root), "DAGSTER_HOME": str(store.dagster_home)}


def _require_path_in_url(store: DataStore) -> None:
    """Dagster puts the path into SQLite's URL as it is: `a?b` would be the file a, `%41` be A."""
    odd = _URL_SYNTAX.search(str(store.dagster_home))
    if odd and "storage" not in instance_settings(store):
        raise StudyError(
            f"{store.root}: SQLite, in which Dagster keeps the runs of a study, cannot be reached "
            f"through a folder with {odd.group()!r} in its name: rename that folder"
        )


def instance_settings(store: DataStore) -> dict[str, Any]:
    """A study's settings of the Dagster instance; none without the file.

    Raises:
        StudyError: the file is no YAML, or no mapping.
    """
    file = store.instance_file
    if not file.exists():
        return {}
    try:
        settings = yaml.safe_load(file.read_text(encoding="utf-8"))
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise StudyError(f"{file}{line}: {error.problem}. {MEND_INSTANCE}") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise StudyError(f"{file} cannot be read ({error}). {MEND_INSTANCE}") from error
    if settings is not None and not isinstance(settings, dict):
        raise StudyError(f"{file} has no settings of the form `name: value`. {MEND_INSTANCE}")
    return settings or {}


@contextmanager
def workspace_file() -> Generator[Path]:
    """The workspace that names the code location and no code server: who reads it starts one."""
    with as_file(files(__name__) / "workspace.yaml") as path:
        yield path


def _copy(name: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with as_file(files(__name__).joinpath(*name.split("/"))) as source:
        shutil.copyfile(source, target)
