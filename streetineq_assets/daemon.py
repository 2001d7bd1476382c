"""Dagster's daemon of one study, once at a time: `streetineq daemon`.

Two daemons of one instance start its runs, back-fills and sensors twice, and Dagster only complains
of it in the first one's log. Here the second ends at once: the first holds a lock, which the kernel
frees when that process ends in whatever way.
"""

import contextlib
from collections.abc import Generator
from pathlib import Path

from dagster._daemon.cli import run_command
from filelock import FileLock, Timeout

from streetineq_assets.errors import InstanceError, clear_disk_errors
from streetineq_assets.locks import NO_LOCKS
from streetineq_assets.store import DataStore


def run_daemon(store: DataStore, workspace: Path) -> None:
    """Run the daemon of the instance that `DAGSTER_HOME` names, until it is asked to end.

    Args:
        workspace: names the code location.

    Raises:
        InstanceError: another daemon of the study runs.
        StoreError: the study's folder cannot be written.
    """
    with only_daemon(store):
        run_command.main(["--workspace", str(workspace)], standalone_mode=False)


def require_no_daemon(store: DataStore) -> None:
    """Refuse where a daemon of the study runs; raises as `run_daemon`."""
    with only_daemon(store):
        return


@contextlib.contextmanager
def only_daemon(store: DataStore) -> Generator[None]:
    """Be the study's only daemon; raises as `run_daemon`."""
    lock = FileLock(store.dagster_home / "daemon.lock", timeout=0)
    with clear_disk_errors(store.dagster_home):
        store.dagster_home.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire()
        except Timeout as error:
            raise InstanceError(
                f"{store.root} has a daemon already, from `streetineq serve` or a service: end "
                "that one first, since two would start every run twice"
            ) from error
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
    try:
        yield
    finally:
        lock.release()
