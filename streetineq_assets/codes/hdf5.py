"""HDF5 files, opened and begun; what keeps one shut is said in a sentence that leads out.

HDF5 locks each file that it opens to read. Where another program holds it, or the file system has
no locks (some network and container mounts), it cannot be opened, and there is nothing wrong with
it: making it again would be of no use, and throwing it away a loss.
"""

import math
import os
import re
import sys
from collections.abc import Generator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from streetineq_assets.errors import StoreError, StreetineqError
from streetineq_assets.locks import NO_LOCKS

if TYPE_CHECKING:
    import h5py

# At most, what lies in a file beside its codes: for each row its id and hashes, for each feature
# its mean and deviation, and the rest, with the reasons of some thousand views without codes.
_ROW_BYTES, _FEATURE_BYTES, _BYTES = 1024, 64, 2**20
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
def new_hdf5(
    path: Path, shape: tuple[int, int, int], dtype: np.dtype, **options: Any
) -> Generator["h5py.File"]:
    """A new file of codes, to be written in the block; it is not locked.

    Its place on the disk is taken first, and what it does not need is given back. For where HDF5
    cannot write what it has in memory, it can neither close the file nor forget it, and brings the
    process down.

    Args:
        shape, dtype: of the codes that it is to hold, (n, views, width).
        options: of `h5py.File`.

    Raises:
        OSError: the disk has no place for it.
    """
    import h5py

    n, _, width = shape
    codes_bytes = math.prod(shape) * dtype.itemsize
    most = codes_bytes + n * _ROW_BYTES + width * _FEATURE_BYTES + _BYTES
    with _Reserved(path, "w+") as place:
        place.reserve(most)
        with h5py.File(place, "w", **options) as file:
            yield file


class _Reserved(FileIO):
    """A file that is empty, and has a place on the disk already."""

    _end = 0

    def reserve(self, size_bytes: int) -> None:
        """Raises: OSError: the disk is full."""
        if sys.platform != "darwin":  # which has no such function
            os.posix_fallocate(self.fileno(), 0, size_bytes)

    def write(self, data: Any) -> int:
        """Write all of it."""
        view, done = memoryview(data).cast("B"), 0
        while done < len(view):
            done += super().write(view[done:]) or 0
        self._end = max(self._end, self.tell())
        return done

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """As if the file ended behind what was written."""
        if whence == os.SEEK_END:
            return super().seek(self._end + offset)
        return super().seek(offset, whence)

    def truncate(self, size: int | None = None) -> int:
        """Give back what lies behind; HDF5 does, when it closes the file."""
        self._end = super().truncate(size)
        return self._end


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
