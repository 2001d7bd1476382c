"""The errors that a user can cause and mend.

Each carries one complete sentence: what is wrong, where, and what to do. A full disk is one of
them, in whatever words a library tells it. Programming errors are not here: they stay the
exceptions of Python and of the libraries.
"""

import errno
import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from sqlite3 import OperationalError

from duckdb import IOException

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NO_RIGHT = (errno.EROFS, errno.EACCES, errno.EPERM)
# SQLite's own sentences, in which Dagster's storage passes them on.
_SQLITE_FULL = ("database or disk is full",)
_SQLITE_READ_ONLY = ("attempt to write a readonly database", "unable to open database file")
_SQLITE_IO = "disk I/O error"
_SQLITE_NEEDS_BYTES = 2**20
_DISK_ERRORS = (OSError, RuntimeError, OperationalError, IOException)


class StreetineqError(Exception):
    """Base of all errors whose message is meant for the person who runs the study."""


class StudyError(StreetineqError):
    """`study.toml` is missing, malformed or names something that does not exist."""


class SourceError(StreetineqError):
    """An input file is malformed: the message names file, line or column, and remedy."""


class SourceMissingError(StreetineqError):
    """An input file is absent: its outcomes or city become unavailable, nothing else stops."""


class StoreError(StreetineqError):
    """An artefact is absent or does not match its manifest: the message names the asset to run."""


class LossError(StoreError):
    """An artefact would lose most of what it holds: it was not published, and stays as it was."""


class InstanceError(StreetineqError):
    """The database of the Dagster instance is named wrongly, cannot be reached or started."""


class DeviceError(StreetineqError):
    """The asked-for accelerator cannot be had."""


class ClusterError(StreetineqError):
    """No Ray cluster answers, or it cannot run what is asked: the message says what to start."""


class TrainingError(StreetineqError):
    """A training cannot start or go on: the message names the fold and what to change."""


class ImageryError(StreetineqError):
    """A provider of images gives none: the message says which, since when, and what to do."""


@contextmanager
def clear_disk_errors(path: Path) -> Generator[None]:
    """Say in one sentence that a disk is full or cannot be written.

    h5py, SQLite and DuckDB say it in words of their own, and not always as an OSError.

    Args:
        path: what is written, where the error does not name it.
    """
    try:
        yield
    except _DISK_ERRORS as error:
        where = getattr(error, "filename", None) or path
        if _says(error, _NO_SPACE, _SQLITE_FULL) or _hides_a_full_disk(error, path):
            raise StoreError(
                f"the disk is full while writing {path}: free some space and run it again; what "
                "was published and the finished parts are kept"
            ) from error
        if _says(error, _NO_RIGHT, _SQLITE_READ_ONLY):
            raise StoreError(
                f"{where} may not be read or written by this user ({_last_line(error)}): give the "
                "right, or mount its disk for writing, and run it again; what was published is kept"
            ) from error
        raise


def _says(error: Exception, numbers: tuple[int, ...], sentences: tuple[str, ...]) -> bool:
    """Whether an error has one of these numbers, or tells of one in words."""
    words = (*map(os.strerror, numbers), *sentences)
    return getattr(error, "errno", None) in numbers or any(each in str(error) for each in words)


def _hides_a_full_disk(error: Exception, path: Path) -> bool:
    """SQLite speaks of input and output where a full disk has no room for its shared memory."""
    if _SQLITE_IO not in str(error) or not path.exists():
        return False
    return shutil.disk_usage(path).free < _SQLITE_NEEDS_BYTES


def _last_line(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error).split("\n", 1)[0]


class TooManyRepeatsError(StreetineqError):
    """So many pictures of a city look alike that their pairs cannot be listed."""
