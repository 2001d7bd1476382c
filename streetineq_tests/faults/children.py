"""Work on a study in processes of their own, forked from one that has imported everything.

A child does what `streetineq run` does, with one asset: it holds the study, fails what killed
processes left, and runs the asset on the study's instance. `Work.processes` gives each step a
process of its own, as runs from the UI have.
"""

import contextlib
import multiprocessing
import os
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import dagster as dg
from dagster._core.definitions.reconstruct import ReconstructableRepository

from streetineq_assets.errors import StreetineqError
from streetineq_assets.instance_state import clear_instance_errors, open_instance
from streetineq_assets.run import LAUNCHER, QUIET, fail_abandoned, only_runner
from streetineq_assets.stages import STAGES
from streetineq_assets.store import DataStore
from streetineq_tests import harness
from streetineq_tests.faults import points

STUDY_TEXT = "STREETINEQ_FAULTS_STUDY"  # read by `prepared`
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["streetineq_tests.faults.prepared"])
LIMIT_S = 400.0
STRIKES = {"step": points.kill_this_process, "run worker": points.kill_the_run_worker}


@dataclass(frozen=True)
class Work:
    """One asset, or whatever `body` does, in a child.

    Attributes:
        dies: at a moment of `points.POINTS`; empty for a child that lives.
        victim: of `STRIKES`.
        prepare: called in the child first.
        body: in the place of running the asset.
        alone: hold the study, as one `streetineq run` at a time does.
        variables: of the child's environment.
    """

    root: Path
    asset: str = ""
    partition: str | None = None
    dies: str = ""
    victim: str = "step"
    processes: bool = False
    alone: bool = True
    prepare: Callable[[], None] | None = None
    body: Callable[[Path], str] | None = None
    variables: Mapping[str, str] = field(default_factory=dict)


class Outcome(NamedTuple):
    """How a child ended.

    Attributes:
        exit_code: negative for a signal.
        said: the sentence of a failure; a traceback where it was no sentence.
    """

    exit_code: int | None
    said: str

    @property
    def succeeded(self) -> bool:
        return self.exit_code == 0 and not self.said


class Child:
    """A child that was started; `outcome` waits for it and for all that it forked."""

    def __init__(self, work: Work) -> None:
        self._hears, speaks = CONTEXT.Pipe(duplex=False)
        self.process = CONTEXT.Process(target=_child, args=(work, speaks))
        self.process.start()
        speaks.close()

    def outcome(self) -> Outcome:
        """Raises: AssertionError, when it does not end."""
        said = ""
        with contextlib.suppress(EOFError):  # nobody is left who could speak
            while self._hears.poll(LIMIT_S):
                said = self._hears.recv()
            self.process.kill()
            raise AssertionError("a child does not end")
        self.process.join(LIMIT_S)
        return Outcome(self.process.exitcode, said)


def do(work: Work) -> Outcome:
    """Start a child and wait for it."""
    return Child(work).outcome()


def use_study(root: Path) -> None:
    """Let the fork server define the assets of this study, before it starts."""
    os.environ.setdefault(STUDY_TEXT, DataStore(root).study_file.read_text(encoding="utf-8"))


def _child(work: Work, pipe: Connection) -> None:
    os.environ.update(work.variables, STREETINEQ_DATA=str(work.root))
    if work.prepare:
        work.prepare()
    if work.dies:
        points.install(work.dies, STRIKES[work.victim])
    try:
        said = work.body(work.root) if work.body else run(work)
    except StreetineqError as error:
        said = str(error)
    except Exception:  # noqa: BLE001 - what a user would see is told, and fails the test
        said = traceback.format_exc()
    if said:
        pipe.send(said)


def run(work: Work) -> str:
    """Run the asset as `streetineq run` would; what the failed step says, if one did."""
    store = DataStore(work.root)
    holding = only_runner(store) if work.alone else contextlib.nullcontext()
    with holding, clear_instance_errors(store), open_instance(store) as instance:
        if work.alone:
            fail_abandoned(instance, lambda _: None)
        way = _in_processes if work.processes else _in_this_process
        return way(work, store, instance)


def _in_this_process(work: Work, store: DataStore, instance: dg.DagsterInstance) -> str:
    result = harness.run(
        store, work.asset, work.partition, instance=instance, tags=LAUNCHER, fails=True
    )
    return "" if result.success else _why(result.all_events)


def _in_processes(work: Work, store: DataStore, instance: dg.DagsterInstance) -> str:
    """With Dagster's executor of a process for each step, which forks here where it would spawn."""
    fork = multiprocessing.get_context("fork")
    multiprocessing.get_context = lambda method=None: fork
    repository = ReconstructableRepository.for_module("streetineq_assets.definitions", "defs")
    (stage,) = [stage for stage in STAGES if work.asset in stage.assets]
    partition = {"dagster/partition": work.partition} if work.partition else {}
    with dg.execute_job(
        repository.get_reconstructable_job(stage.job),
        instance=instance,
        tags=LAUNCHER | partition,
        run_config=QUIET,
        asset_selection=[dg.AssetKey(work.asset)],
    ) as result:
        return "" if result.success else _why(result.all_events)


def _why(events: Any) -> str:
    for event in events:
        if event.is_step_failure:
            data = event.step_failure_data
            explained = data.user_failure_data and data.user_failure_data.description
            return explained or data.error.to_string()
    return "failed"
