"""A study's Dagster instance: opening it, and what it lost or still holds.

Dagster keeps runs and materialisations in a database of its own. What is published does not depend
on it, so that the instance can be lost, and is restored by running the study again.
"""

import contextlib
from collections.abc import Generator, Iterable
from sqlite3 import OperationalError as SQLiteError
from textwrap import shorten

import dagster as dg
from sqlalchemy.exc import OperationalError

from streetineq_assets.errors import StudyError, clear_disk_errors
from streetineq_assets.instance.postgres_url import postgres_url, require_reachable
from streetineq_assets.manifests import Manifest
from streetineq_assets.store import DataStore
from streetineq_assets.study_template import MEND_INSTANCE, instance_settings

LAUNCHER = {"streetineq/launcher": "run"}  # tag of the runs of `streetineq run`
UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def open_instance(store: DataStore) -> dg.DagsterInstance:
    """The study's own instance; made when absent.

    Raises:
        StudyError: the study's `dagster.yaml` is wrong.
        InstanceError: the Postgres that the environment names cannot be reached.
    """
    instance_settings(store)  # Dagster answers with a traceback where it is no YAML
    if (url := postgres_url()) is not None:
        require_reachable(url)  # at once, where a run would wait for a server that is away
    try:
        return dg.DagsterInstance.from_config(str(store.dagster_home))
    except dg.DagsterError as error:
        reason = shorten(str(error), 300)  # it goes on with all that Dagster knows
        raise StudyError(f"{store.instance_file}: {reason}. {MEND_INSTANCE}") from error


def is_there(store: DataStore) -> bool:
    """Whether the study has an instance: another storage than SQLite, or SQLite's files.

    Raises:
        InstanceError: the variable of Postgres is set, and names none.
    """
    if postgres_url() is not None or instance_settings(store).get("storage"):
        return True
    return (store.dagster_home / "history").is_dir()


@contextlib.contextmanager
def clear_instance_errors(store: DataStore) -> Generator[None]:
    """Say in one sentence that the instance's disk is full or read-only.

    Raises:
        StoreError: it is.
    """
    with clear_disk_errors(store.dagster_home):
        try:
            yield
        except OperationalError as error:
            if isinstance(error.orig, SQLiteError):
                raise error.orig from error
            raise


def unrecorded(store: DataStore, published: Iterable[Manifest]) -> list[str]:
    """Labels of published artefacts of which the instance knows no materialisation.

    Raises:
        StudyError: the study's `dagster.yaml` is wrong.
    """
    published = list(published)
    if not is_there(store):
        return [manifest.label for manifest in published]
    with open_instance(store) as instance:
        known = {asset: _materialised(instance, asset) for asset in {m.asset for m in published}}
    return [each.label for each in published if each.partition not in known[each.asset]]


def waiting_slots(store: DataStore) -> dict[str, str]:
    """Pool slots that ended runs still hold, for which others wait: run to pool.

    Raises:
        StudyError: the study's `dagster.yaml` is wrong.
    """
    if not is_there(store):
        return {}
    with open_instance(store) as instance:
        log = instance.event_log_storage
        held = {
            slot.run_id: pool
            for pool in log.get_concurrency_keys()
            for slot in log.get_concurrency_info(pool).claimed_slots
        }
        runs = instance.get_runs(filters=dg.RunsFilter(run_ids=list(held))) if held else []
        running = {run.run_id for run in runs if not run.is_finished}
    return {run: pool for run, pool in held.items() if run not in running}


def _materialised(instance: dg.DagsterInstance, asset: str) -> set[str | None]:
    """Partitions of an asset that were materialised; None where it has been without one."""
    key = dg.AssetKey(asset)
    partitions: set[str | None] = set(instance.get_materialized_partitions(key))
    event = instance.get_latest_materialization_event(key)
    if event and event.asset_materialization and event.asset_materialization.partition is None:
        partitions.add(None)
    return partitions
