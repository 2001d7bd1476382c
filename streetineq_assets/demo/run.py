"""Run every asset of the synthetic study through Dagster, on that study's own instance.

What belongs here: the order of the runs, their progress, the summary. What does not: the study's
files (`demo.city`), and what a step does. The runs are those of the jobs in `automation`, one after
another in this process, so that TensorFlow is imported once; afterwards they stand in the UI like
any others.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
from filelock import FileLock, Timeout

from streetineq_assets.definitions import build_definitions
from streetineq_assets.demo.summary import summary_lines
from streetineq_assets.errors import StreetineqError
from streetineq_assets.store import DataStore
from streetineq_assets.study import load_study
from streetineq_assets.study_template import ensure_instance

LAUNCHER = {"streetineq/launcher": "demo"}
QUIET = {"loggers": {"console": {"config": {"log_level": "WARNING"}}}}
UNFINISHED = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
Echo = Callable[[str], None]


class DemoError(StreetineqError):
    """A run of the demo failed, or another demo works on the same study."""


@dataclass(frozen=True)
class PlannedRun:
    """One run of a job, for one partition or none."""

    job: str
    partition: str | None

    def __str__(self) -> str:
        return f"{self.job} {self.partition}" if self.partition else self.job


def run_demo(root: Path, echo: Echo) -> None:
    """Write the study if it is not there, run every job on it, print what came out.

    Raises:
        DemoError: a run failed, another process runs the demo on this folder, or the folder holds a
            study that is not synthetic.
    """
    store = DataStore(root)
    echo(f"streetineq demo in {store.root}: the cities and the network's weights are synthetic.")
    store.dagster_home.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(store.dagster_home / "demo.lock", timeout=0):
            _prepare(store, echo)
            _run_all(store, echo)
    except Timeout as error:
        raise DemoError(f"another demo is running in {store.root}: wait for it to end") from error
    for line in summary_lines(store):
        echo(line)


def _prepare(store: DataStore, echo: Echo) -> None:
    if not store.study_file.exists():
        from streetineq_assets.demo.city import write_study

        echo("writing the synthetic cities ...")
        write_study(store.root)
    if not load_study(store.study_file).synthetic:
        raise DemoError(f"{store.root} holds a study that is not synthetic: name another folder")
    ensure_instance(store)


def _run_all(store: DataStore, echo: Echo) -> None:
    definitions = build_definitions(store.root)
    with dg.DagsterInstance.from_config(str(store.dagster_home)) as instance:
        for run_id in fail_abandoned(instance):
            echo(f"run {run_id} was left behind by a process that is gone: marked as failed")
        plan = list(planned_runs(definitions))
        started = time.perf_counter()
        for number, run in enumerate(plan, start=1):
            before = time.perf_counter()
            _execute(definitions, instance, run)
            now = time.perf_counter()
            echo(
                f"[{number:>2}/{len(plan)}] {run!s:<55} {now - before:6.1f} s"
                f"  ({now - started:.0f} s so far)"
            )


def planned_runs(definitions: dg.Definitions) -> Iterator[PlannedRun]:
    """Every job on each of its partitions, in the order in which data flow."""
    for job in definitions.jobs or []:
        partitions = definitions.resolve_job_def(job.name).partitions_def
        keys = partitions.get_partition_keys() if partitions else [None]
        yield from (PlannedRun(job.name, key) for key in keys)


def fail_abandoned(instance: dg.DagsterInstance) -> list[str]:
    """Fail unfinished runs of earlier demos and free their pool slots; return their ids.

    The caller holds the demo's lock, so the processes of these runs are gone. A killed process
    keeps its slot in a pool, and the next run would wait for it for ever.
    """
    filters = dg.RunsFilter(tags=LAUNCHER, statuses=UNFINISHED)
    abandoned = list(instance.get_runs(filters=filters))
    for run in abandoned:
        instance.report_run_failed(run, "its process is gone")
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
    return [run.run_id for run in abandoned]


def _execute(definitions: dg.Definitions, instance: dg.DagsterInstance, run: PlannedRun) -> None:
    job = definitions.resolve_job_def(run.job)
    result = job.execute_in_process(
        instance=instance,
        partition_key=run.partition,
        tags=LAUNCHER,
        run_config=QUIET,
        raise_on_error=False,
    )
    if not result.success:
        raise DemoError(f"{run} failed: {_reason(result)}")


def _reason(result: dg.ExecuteInProcessResult) -> str:
    for event in result.all_events:
        if event.is_step_failure:
            failure = event.step_failure_data
            described = failure.user_failure_data.description if failure.user_failure_data else None
            return described or failure.error.message.strip()
    return f"see run {result.run_id} in the UI"
