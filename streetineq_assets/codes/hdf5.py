"""HDF5 files, opened; what keeps one shut is said in a sentence that leads out.

HDF5 locks each file that it opens. Where another program holds it, or the file system has no locks
(some network and container mounts), it cannot be opened, and there is nothing wrong with it: making
it again would be of no use, and throwing it away a loss.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streetineq_assets.errors import StoreError, StreetineqError
from streetineq_assets.locks import NO_LOCKS

if TYPE_CHECKING:
    import h5py

_LOCK = re.compile(r"unable to lock file, errno = (\d+)")


class FileLockedError(StreetineqError):
    """A file cannot be opened because of its lock, or for want of locks; it may be whole."""


def open_hdf5(path: Path, mode: str = "r", *, remedy: str = "", **options: Any) -> "h5py.File":
    """Open a file.

    Args:
        mode: `r` or `w`.
        remedy: what to do about a file that is damaged.
        options: of `h5py.File`.

    Raises:
        FileLockedError: another program holds it, or the file system has no locks.
        StoreError: it may not be read, or is no HDF5 file; in the mode `r` alone.
    """
    import h5py

    try:
        return h5py.File(path, mode, **options)
    except OSError as error:
        lock = _LOCK.search(str(error))
        if lock:
            raise FileLockedError(f"{path} {_locked(int(lock[1]))}") from error
        if mode != "r":
            raise
        if isinstance(error, PermissionError):
            raise StoreError(f"{path} may not be read: allow this user to read it") from error
        raise StoreError(f"{path} is not readable as HDF5{remedy and f': {remedy}'}") from error


def _locked(number: int) -> str:
    if number in NO_LOCKS:
        return (
            "cannot be locked, since its file system has no locks: set "
            "HDF5_USE_FILE_LOCKING=FALSE in the environment, and run one thing at a time on this "
            "study"
        )
    return (
        "is held by another program, such as a viewer or a notebook: close it there and run this "
        "again; if nothing holds it, its file system's locks do not work, and "
        "HDF5_USE_FILE_LOCKING=FALSE in the environment does without them"
    )
