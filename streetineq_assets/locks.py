"""Locks between processes, all of the kernel's kind: it frees those of a process that was killed.

Some network file systems have none. There one thing at a time is to be run, and who asks for a lock
goes on without.
"""

import contextlib
import errno
import fcntl
import os
from collections.abc import Callable, Generator
from pathlib import Path

from filelock import FileLock, Timeout

from streetineq_assets.errors import StoreError

NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
# NFS locks ranges of files that are open for writing, which a folder never is.
_NO_FOLDER_LOCKS = (*NO_LOCKS, errno.EBADF, errno.EINVAL, errno.EISDIR)


@contextlib.contextmanager
def one_process(work: Path, report: Callable[[str], object]) -> Generator[None]:
    """One process at a time in a workspace.

    Where there are no locks, the pool of the step is what keeps runs apart.

    Args:
        report: is told in one sentence where there are none.

    Raises:
        StoreError: another process works there.
    """
    lock = FileLock(work / "lock", timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise StoreError(f"another process works in {work}: wait for it to end") from error
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        report(f"{work} lies on a file system without locks: start no second run on this study")
    try:
        yield
    finally:
        lock.release()


class FolderLock:
    """A lock on a folder itself, which leaves no file behind. Closed, it is free."""

    def __init__(self, folder: Path) -> None:
        self._descriptor = os.open(folder, os.O_RDONLY)

    def __enter__(self) -> "FolderLock":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    def is_mine_alone(self) -> bool:
        """Take it for this process alone if nobody holds it; false too without locks."""
        return self._take(fcntl.LOCK_EX | fcntl.LOCK_NB)

    def share(self) -> None:
        """Hold it with others, once nobody holds it alone."""
        self._take(fcntl.LOCK_SH)

    def _take(self, how: int) -> bool:
        try:
            fcntl.flock(self._descriptor, how)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno not in _NO_FOLDER_LOCKS:
                raise
            return False
        return True
