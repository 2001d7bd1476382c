"""The errors that a user can cause and mend.

Each carries one complete sentence: what is wrong, where, and what to do. A full disk is one of
them, in whatever words a library tells it. Programming errors are not here: they stay the
exceptions of Python and of the libraries.
"""

import errno
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


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


class TrainingError(StreetineqError):
    """A training cannot start or go on: the message names the fold and what to change."""


@contextmanager
def clear_disk_errors(path: Path) -> Generator[None]:
    """Say in one sentence that the disk is full; h5py says it in many, and not always as such."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        full = getattr(error, "errno", None) in _NO_SPACE or any(
            os.strerror(number) in str(error) for number in _NO_SPACE
        )
        if not full:
            raise
        raise StoreError(
            f"the disk is full while writing {path}: free some space and run it again; what was "
            "published and the finished parts are kept"
        ) from error


class TooManyRepeatsError(StreetineqError):
    """So many pictures of a city look alike that their pairs cannot be listed."""
