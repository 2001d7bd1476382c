"""HDF5 files, opened; what keeps one shut is said in a sentence that leads out.

HDF5 locks each file that it opens. Where another program holds it, or the file system has no locks
(some network and container mounts), it cannot be opened, and there is nothing wrong with it: making
it again would be of no use, and throwing it away a loss.
"""

import re
from collections.abc import Generator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streetineq_assets.errors import StoreError, StreetineqError
from streetineq_assets.locks import NO_LOCKS

if TYPE_CHECKING:
    import h5py

_LOCK = re.compile(r"unable to lock file, errno = (\d+)")


class FileLockedError(StreetineqError):
    """A file cannot be opened because of its lock, or for want of locks; it may be whole."""


def open_hdf5(path: Path, *, remedy: str = "") -> "h5py.File":
    """Open a file to read it.

    Args:
        remedy: what to do about a file that is damaged.

    Raises:
        FileLockedError: another program holds it, or the file system has no locks.
        StoreError: it may not be read, or is no HDF5 file.
    """
    import h5py

    try:
        return h5py.File(path)
    except OSError as error:
        lock = _LOCK.search(str(error))
        if lock:
            raise FileLockedError(f"{path} {_locked(int(lock[1]))}") from error
        if isinstance(error, PermissionError):
            raise StoreError(f"{path} may not be read: allow this user to read it") from error
        raise StoreError(f"{path} is not readable as HDF5{remedy and f': {remedy}'}") from error


@contextmanager
def new_hdf5(path: Path, **options: Any) -> Generator["h5py.File"]:
    """A new file, to be written in the block; it is not locked.

    Args:
        options: of `h5py.File`.

    Raises:
        OSError: the disk did not take all of it.
    """
    import h5py

    with _Draft(path, "w+") as draft:
        with h5py.File(draft, "w", **options) as file:
            yield file
        if draft.error:
            raise draft.error


class _Draft(FileIO):
    """A file that takes everything, and keeps the error of a disk that does not.

    Where HDF5 cannot write what it has in memory, as on a full disk, it can neither close the file
    nor forget it, and may bring the process down with it.
    """

    error: OSError | None = None

    def write(self, data: Any) -> int:
        """Write all, or nothing after the first error."""
        view, done = memoryview(data).cast("B"), 0
        try:
            while self.error is None and done < len(view):
                done += super().write(view[done:]) or 0
        except OSError as error:
            self.error = error
        return len(view)

    def truncate(self, size: int | None = None) -> int:
        """Make it as long or short as wanted, if it can be."""
        try:
            return super().truncate(size)
        except OSError as error:
            self.error = self.error or error
            return size or 0


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
