"""The files of a new study, and copying them: what `streetineq init`, `serve` and `demo` write.

What belongs here: the template's files and their copying. What does not: the settings' meaning
(`study`), or a study's artefacts (`store`).
"""

import shutil
from collections.abc import Generator
from contextlib import contextmanager
from importlib.resources import as_file, files
from pathlib import Path

from streetineq_assets.errors import StudyError
from streetineq_assets.store import INPUT_FOLDERS, DataStore

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
    """Give a study the instance settings that it lacks; those that it has stay."""
    target = store.dagster_home / "dagster.yaml"
    if not target.exists():
        _copy("dagster_home/dagster.yaml", target)


@contextmanager
def workspace_file() -> Generator[Path]:
    """The workspace that names the code location, for `dagster dev -w`."""
    with as_file(files(__name__) / "workspace.yaml") as path:
        yield path


def _copy(name: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with as_file(files(__name__).joinpath(*name.split("/"))) as source:
        shutil.copyfile(source, target)
