"""The files of a study: those that `init`, `run`, `serve` and `demo` copy into a new folder."""

import re
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import yaml

from streetineq_assets.area_vintages import LSOA11, AreaVintage
from streetineq_assets.errors import StreetineqError, StudyError
from streetineq_assets.instance.postgres_url import VARIABLE, place, postgres_url
from streetineq_assets.store import INPUT_FOLDERS, DataStore

MEND_INSTANCE = "Mend it, or remove it: `streetineq run` and `serve` write a new one"

_URL_SYNTAX = re.compile(r"[?]|%[0-9A-Fa-f]{2}")
_STORAGES = {"storage", "run_storage", "event_log_storage", "schedule_storage"}
_FILES = ("study.toml", "README.md", "dagster_home/dagster.yaml")
# What of the paper's study is another in one of today. Incomes were modelled for 2012/13 alone.
_OF_TODAY = {
    "This is the study of Suel et al. (2019): four cities as their": (
        "The cities of Suel et al. (2019), with figures and areas of today:"
    ),
    " counties, 13 outcomes.\n": " counties.\n",
    'after Suel et al. (2019)"': 'Census 2021 and deprivation of 2025"',
    "date = 2017-08-01 ": "date = 2025-11-01 ",
    'census_edition = "2011"': 'census_edition = "2021"',
    'iod_edition = "2015" ': 'iod_edition = "2025" ',
    '      # or "2019", "2025"': '      # or "2015", "2019"',
    'vintage = "lsoa11"         # or "lsoa21", the areas of Census 2021:': (
        'vintage = "lsoa21"         # or "lsoa11", the areas of the 2011 Census:'
    ),
    "lsoas = 4835 ": "lsoas = 4994 ",
    "lsoas = 1680\n": "lsoas = 1719\n",
    "lsoas = 1673\n": "lsoas = 1702\n",
    "lsoas = 1388\n": "lsoas = 1404\n",
    '    "mean_income", "median_income",\n': "",
}


def write_study_template(folder: Path, vintage: AreaVintage = LSOA11) -> None:
    """Make a new study: the paper's settings, a guide to the inputs, empty folders for them.

    Args:
        vintage: of its areas; with those of 2021 go Census 2021 and the Indices of 2025.

    Raises:
        StudyError: the folder exists and is not empty.
    """
    if folder.exists() and any(folder.iterdir()):
        raise StudyError(f"{folder} is not empty: name a new folder")
    for name in _FILES:
        _copy(name, folder / name)
    if vintage != LSOA11:
        (folder / "study.toml").write_text(_study_of_today(), encoding="utf-8")
    for name in INPUT_FOLDERS:
        (folder / "inputs" / name).mkdir(parents=True)


def ensure_instance(store: DataStore) -> None:
    """Give a study the instance settings that it lacks; those that it has stay.

    Raises:
        StudyError: the study's runs would lie elsewhere than in its folder, or than in the Postgres
            that the environment names.
        InstanceError: the environment names no Postgres that can be used.
    """
    in_postgres = postgres_url() is not None
    if not in_postgres:
        _require_path_in_url(store)
    if not store.instance_file.exists():
        _copy("dagster_home/dagster.yaml", store.instance_file)
    if in_postgres:
        _require_study_instance(store)


def storage_in_words(store: DataStore) -> str:
    """Where Dagster keeps the study's runs, or what keeps it from doing so."""
    try:
        url = postgres_url()
        if url is not None and store.instance_file.exists():
            _require_study_instance(store)
        if url is not None:
            return f"Postgres at {place(url)}"
        storage = instance_settings(store).get("storage")
    except StreetineqError as error:
        return str(error)
    first = "" if store.instance_file.exists() else " (made on first use)"
    return ", ".join(storage) if storage else f"SQLite in {store.dagster_home}{first}"


def _require_study_instance(store: DataStore) -> None:
    """A `dagster.yaml` of an earlier version, or with a storage of its own, takes no notice."""
    ours, theirs = yaml.safe_load(_template("dagster_home/dagster.yaml")), instance_settings(store)
    key = "instance_class"
    if theirs.get(key) != ours[key] or _STORAGES.intersection(theirs):
        raise StudyError(
            f"{VARIABLE} is set, but {store.instance_file} does not read it, since it is of an "
            "earlier version or names a storage of its own: remove it, and `streetineq run` or "
            f"`serve` writes a new one; or take `storage` out of it and put in `{key}` as in the "
            "template of `streetineq init`"
        )


def environment(store: DataStore) -> dict[str, str]:
    """The variables by which Dagster's processes know the study."""
    return {"STREETINEQ_DATA": str(store.root), "DAGSTER_HOME": str(store.dagster_home)}


def _require_path_in_url(store: DataStore) -> None:
    """Dagster puts the path into SQLite's URL as it is: `a?b` would be the file a, `%41` be A."""
    odd = _URL_SYNTAX.search(str(store.dagster_home))
    if odd and not _STORAGES.intersection(instance_settings(store)):
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


def _study_of_today() -> str:
    text = _template("study.toml")
    for old, new in _OF_TODAY.items():
        if text.count(old) != 1:
            raise ValueError(f"the template has {old!r} {text.count(old)} times")
        text = text.replace(old, new)
    return text


def _template(name: str) -> str:
    return files(__name__).joinpath(*name.split("/")).read_text(encoding="utf-8")


def _copy(name: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with as_file(files(__name__).joinpath(*name.split("/"))) as source:
        shutil.copyfile(source, target)
