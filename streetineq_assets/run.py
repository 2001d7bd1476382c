"""Run every job of a study in order, in this process, on the study's own Dagster instance.

The runs are those of the jobs in `automation`, one after another, so that TensorFlow is imported
once; afterwards they stand in the UI like any others. What is unchanged is skipped by each step, so
a plan that failed or was stopped is resumed by starting it again.
"""

import contextlib
import gc
import logging
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping

import dagster as dg
from filelock import FileLock, Timeout

from streetineq_assets.automation import WHOLE_CITY
from streetineq_assets.codes.encoders.loading import release_encoder
from streetineq_assets.definitions import build_definitions
from streetineq_assets.errors import StoreError, StreetineqError
from streetineq_assets.findings import AVAILABLE
from streetineq_assets.instance_state import (
    LAUNCHER,
    UNFINISHED,
    clear_instance_errors,
    is_there,
    open_instance,
)
from streetineq_assets.progress import FinishedRun, PlannedRun, in_words, seconds_left
from streetineq_assets.resources import ALLOW_LOSS
from streetineq_assets.store import DataStore
from streetineq_assets.study import city_of, load_study
from streetineq_assets.study_template import ensure_instance

# The daemon does not repeat a run that this process was killed in: the next `streetineq run` does.
_NOT_REPEATED = {"dagster/max_retries": "0"}
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}  # we print, not Dagster
_INTERRUPTS = (dg.DagsterExecutionInterruptedError.__name__, KeyboardInterrupt.__name__)
Echo = Callable[[str], None]


class RunError(StreetineqError):
    """A run failed, or another process runs the same study."""


def run_study(
    store: DataStore, echo: Echo, city: str | None = None, *, allow_loss: bool = False
) -> list[str]:
    """Run every job on every partition, or on those of one city; print a line for each run.

    Jobs without partitions always run: labels first, the report and the warehouse last.

    Args:
        city: a city of the study; by default all.
        allow_loss: let artefacts be replaced by far smaller ones.

    Returns:
        A line for each check that warns.

    Raises:
        StudyError: there is no study, its file or its `dagster.yaml` is wrong, or it has no such
            city.
        StoreError: the disk is full, or the study's folder cannot be written.
        RunError: a run failed, or another process holds the study.
    """
    study = load_study(store.study_file)
    if city is not None:
        study.require_city(city)
    ensure_instance(store)
    definitions = build_definitions(store.root)
    tags = LAUNCHER | _NOT_REPEATED | ({ALLOW_LOSS: "true"} if allow_loss else {})
    with only_runner(store), clear_instance_errors(store), open_instance(store) as instance:
        fail_abandoned(instance, echo)
        plan = list(planned_runs(definitions, city))
        return _run_all(definitions, instance, plan, tags, echo)


def clean_up(store: DataStore, echo: Echo) -> None:
    """Fail the runs that a killed process left behind, unless a process runs the study now.

    Raises:
        StudyError: the study's `dagster.yaml` is wrong.
        StoreError: the disk is full, or the study's folder cannot be written.
    """
    with (
        contextlib.suppress(RunError),
        only_runner(store),
        clear_instance_errors(store),
        open_instance(store) as instance,
    ):
        fail_abandoned(instance, echo)


@contextlib.contextmanager
def nothing_running(store: DataStore) -> Generator[None]:
    """Hold the study, and refuse where a run of it is in progress, whoever started it.

    Raises:
        RunError: a run is in progress, or its process was killed and nobody ended it.
        StoreError: the disk is full, or the study's folder cannot be written.
    """
    with only_runner(store):
        if is_there(store):
            with clear_instance_errors(store), open_instance(store) as instance:
                fail_abandoned(instance, lambda _: None)
                runs = instance.get_runs(filters=dg.RunsFilter(statuses=UNFINISHED))
            if runs:
                raise RunError(
                    f"run {runs[0].run_id} ({runs[0].job_name}) of {store.root} is in progress: "
                    "wait for it, or end it in the UI where its process was killed"
                )
        yield


@contextlib.contextmanager
def only_runner(store: DataStore) -> Generator[None]:
    """Hold the study, so that no other process runs it at the same time.

    Raises:
        RunError: another process holds it.
        StoreError: the study's folder cannot be written.
    """
    lock = FileLock(store.dagster_home / "run.lock", timeout=0)
    try:
        store.dagster_home.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise RunError(f"another process is running {store.root}: wait for it to end") from error
    except OSError as error:
        raise StoreError(
            f"{store.dagster_home} cannot be written ({error.strerror}): a study that is run or "
            "served keeps its runs there; give this user the right to write"
        ) from error
    try:
        yield
    finally:
        lock.release()


def planned_runs(definitions: dg.Definitions, city: str | None = None) -> Iterator[PlannedRun]:
    """Every job on each of its partitions, or on those of one city, in the order of the data."""
    for job in definitions.jobs or []:
        if job.name == WHOLE_CITY:  # this plan, as a job
            continue
        partitions = definitions.resolve_job_def(job.name).partitions_def
        if partitions is None:
            yield PlannedRun(job.name)
            continue
        for key in partitions.get_partition_keys():
            if city is None or city_of(key) == city:
                yield PlannedRun(job.name, key)


def fail_abandoned(instance: dg.DagsterInstance, echo: Echo) -> None:
    """Fail unfinished runs of earlier processes, and free their pool slots.

    The caller holds the study, so the processes of these runs have ended. A killed process keeps
    its slot in a pool, and the next run would wait for it for ever.
    """
    filters = dg.RunsFilter(tags=LAUNCHER, statuses=UNFINISHED)
    for run in instance.get_runs(filters=filters):
        instance.report_run_failed(run, "its process has ended")
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
        echo(f"run {run.run_id} belongs to a process that has ended: marked as failed")


def _run_all(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    plan: list[PlannedRun],
    tags: Mapping[str, str],
    echo: Echo,
) -> list[str]:
    finished: list[FinishedRun] = []
    warned: list[tuple[str | None, dg.AssetCheckEvaluation]] = []
    logged: set[str] = set()
    echo(f"{len(plan)} runs, about {in_words(seconds_left(finished, plan))}")
    started = time.perf_counter()
    for run in plan:
        with _stoppable(run):
            before = time.perf_counter()
            result = _execute(definitions, instance, run, tags)
            seconds = time.perf_counter() - before
            finished.append(FinishedRun(run.job, seconds, unchanged=_nothing_made(result)))
            echo(_line(plan, finished))
            checks = result.get_asset_check_evaluations()
            warned += [(run.partition, check) for check in checks if not check.passed]
            fresh = logged_warnings(instance, result.run_id).difference(logged)
            for text in sorted(fresh):
                echo(f"warning: {text}")
            logged |= fresh
            if len(finished) == len(plan) or plan[len(finished)].job != run.job:
                _return_memory()
    echo(f"all {len(plan)} runs done in {in_words(time.perf_counter() - started)}")
    return check_lines(warned)


def _return_memory() -> None:
    """Between jobs: networks lie in cycles, which Python finds late or never."""
    release_encoder()
    gc.collect()


def _line(plan: list[PlannedRun], finished: list[FinishedRun]) -> str:
    """One line of progress: which run ended, how long it took, how long the others will."""
    done, rest = finished[-1], plan[len(finished) :]
    count = f"[{len(finished):>{len(str(len(plan)))}}/{len(plan)}]"
    unchanged = ", unchanged" if done.unchanged else ""
    left = f", about {in_words(seconds_left(finished, rest))} left" if rest else ""
    return f"{count} {plan[len(finished) - 1]!s:<50}{done.seconds:8.1f} s{unchanged}{left}"


def _execute(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    run: PlannedRun,
    tags: Mapping[str, str],
) -> dg.ExecuteInProcessResult:
    result = definitions.resolve_job_def(run.job).execute_in_process(
        instance=instance,
        partition_key=run.partition,
        tags=dict(tags),
        run_config=QUIET,
        raise_on_error=False,
    )
    if result.success:
        return result
    kind, reason = _failure(result)
    if kind in _INTERRUPTS:
        raise KeyboardInterrupt
    raise RunError(f"{run} failed: {reason}")


@contextlib.contextmanager
def _stoppable(run: PlannedRun) -> Generator[None]:
    """End the plan where the user asks to stop in the block, whoever took the signal.

    Raises:
        RunError: the user did.
    """
    stopped = RunError(f"stopped in {run}: started again, it resumes there")
    with interrupts_noted() as interrupted:
        try:
            yield
        except (KeyboardInterrupt, RunError) as error:
            if interrupted() or isinstance(error, KeyboardInterrupt):
                raise stopped from error
            raise
        if interrupted():
            raise stopped


@contextlib.contextmanager
def interrupts_noted() -> Generator[Callable[[], bool]]:
    """A function that says whether the user asked to stop since; in the main thread only.

    Between steps Dagster takes Ctrl-C for itself, and goes on; while rubbish is collected, Python
    passes over an interrupt that comes in a finaliser. The wake-up descriptor hears of each signal,
    whoever handles it.
    """
    reading, writing = os.pipe()
    for end in (reading, writing):
        os.set_blocking(end, False)
    before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    try:
        yield lambda: _asked_to_stop(reading)
    finally:
        signal.set_wakeup_fd(before)
        os.close(reading)
        os.close(writing)


def _asked_to_stop(reading: int) -> bool:
    try:
        return not {signal.SIGINT, signal.SIGTERM}.isdisjoint(os.read(reading, 4096))
    except BlockingIOError:  # nothing was written
        return False


def _nothing_made(result: dg.ExecuteInProcessResult) -> bool:
    """Whether every asset of the run was up to date."""
    made = [
        event.step_materialization_data.materialization.metadata.get("skipped")
        for event in result.get_asset_materialization_events()
    ]
    return bool(made) and all(skipped is not None and skipped.value for skipped in made)


def _failure(result: dg.ExecuteInProcessResult) -> tuple[str, str]:
    """The class of the first step's error, and what it says."""
    pointer = f"(more in the UI, run {result.run_id})"
    for event in result.all_events:
        if not event.is_step_failure:
            continue
        error, explained = event.step_failure_data.error, event.step_failure_data.user_failure_data
        kind = error.cls_name if error and error.cls_name else ""
        if explained and explained.description:
            return kind, explained.description
        if error:
            return kind, f"{error.message.strip()} {pointer}"
    return "", f"no step failed {pointer}"


def logged_warnings(instance: dg.DagsterInstance, run_id: str) -> set[str]:
    """What the steps of a run logged as a warning."""
    return {
        entry.user_message
        for entry in instance.all_logs(run_id)
        if entry.dagster_event is None and int(entry.level) >= logging.WARNING
    }


def check_lines(failed: Iterable[tuple[str | None, dg.AssetCheckEvaluation]]) -> list[str]:
    """A line for each check that failed, with the text of its first partition.

    What is unavailable makes all that follows from it unavailable: one line for each reason.

    Args:
        failed: the partition of each run, and a check that failed in it.
    """
    lines: dict[tuple[str, str], tuple[str, str]] = {}
    counts: Counter[tuple[str, str]] = Counter()
    for partition, check in failed:
        asset, text = check.asset_key.to_user_string(), check.description or ""
        key = (text if check.check_name == AVAILABLE.name else asset, check.check_name)
        where = f"[{partition}]" if partition else ""
        lines.setdefault(key, (f"{asset}{where}", text))
        counts[key] += 1
    return [
        f"{where}{_more(counts[key])}, {key[1]}: {text}" for key, (where, text) in lines.items()
    ]


def _more(count: int) -> str:
    return f" and {count - 1} more" if count > 1 else ""
