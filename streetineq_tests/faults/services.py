"""The daemon and the code server of a study as services of their own, killed and started again."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import yaml
from dagster._core.definitions.reconstruct import ReconstructableRepository
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)

from streetineq_assets.serving import Services, services
from streetineq_assets.stages import STAGES
from streetineq_assets.store import DataStore
from streetineq_assets.study_template import environment
from streetineq_tests.faults.studies import Target

GRACE_S = 30.0
LOCATION, _OURS = "streetineq_tests.faults.plain_location", "streetineq_assets.definitions"
_PORT = 3953  # of the web server, which is not started


class Served:
    """Both services; what one that died had started goes on without it."""

    def __init__(self, store: DataStore, wanted: Services, log: Path) -> None:
        self._environment = os.environ | environment(store)
        code_server = [LOCATION if each == _OURS else each for each in wanted.code_server]
        self._commands = {"code server": code_server, "daemon": wanted.others[0]}
        self._log = log.open("a")
        self._is_up = wanted.is_up
        self._socket = Path(wanted.code_server[wanted.code_server.index("--socket") + 1])
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._groups: list[int] = []

    def start(self, name: str) -> None:
        """Start one of them."""
        self._running[name] = subprocess.Popen(
            self._commands[name],
            env=self._environment,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._groups.append(self._running[name].pid)

    def start_all(self) -> None:
        """The daemon after the code server that it asks; the socket of a killed one is no sign."""
        self._socket.unlink(missing_ok=True)
        self.start("code server")
        deadline = time.monotonic() + 120
        while not self._is_up():
            assert time.monotonic() < deadline, "the code server is not up"
            time.sleep(0.1)
        self.start("daemon")

    def kill(self, name: str) -> None:
        """SIGKILL for a service and the server that it started, not for the runs' processes."""
        process = self._running[name]
        for pid in (process.pid, *_children(process.pid)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()

    def end(self) -> None:
        """End all that was started."""
        for number, patience in ((signal.SIGTERM, GRACE_S), (signal.SIGKILL, 0.0)):
            for group in self._groups:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(group, number)
            for process in self._running.values():
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(patience or None)
        self._log.close()


def _children(pid: int) -> list[int]:
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False
    )
    return [int(each) for each in listed.stdout.split()]


@contextlib.contextmanager
def served(store: DataStore, log: Path) -> Iterator[Served]:
    """The services of a study, ended with all that they started."""
    with services(store.root, _PORT) as wanted:
        both = Served(store, wanted, log)
        try:
            both.start_all()
            yield both
        finally:
            both.end()


def in_a_hurry(store: DataStore) -> None:
    """One run at a time, each as soon as the last has ended."""
    settings = yaml.safe_load(store.instance_file.read_text(encoding="utf-8"))
    settings["concurrency"]["runs"] = {"max_concurrent_runs": 1}
    settings["run_queue"] = {
        "max_user_code_failure_retries": 20,
        "user_code_failure_retry_delay": 3,
        "dequeue_interval_seconds": 1,
    }
    store.instance_file.write_text(yaml.safe_dump(settings), encoding="utf-8")


def enqueue(
    instance: dg.DagsterInstance, repository: dg.RepositoryDefinition, target: Target
) -> str:
    """Ask for a run of one asset, as the UI does; its id."""
    (stage,) = [stage for stage in STAGES if target.asset in stage.assets]
    known = ReconstructableRepository.for_module(LOCATION, "defs")
    location = RegisteredCodeLocationOrigin("streetineq")
    origin = RemoteJobOrigin(RemoteRepositoryOrigin(location, repository.name), stage.job)
    keys = {dg.AssetKey(target.asset)}
    run = instance.create_run_for_job(
        repository.get_job(stage.job).get_subset(asset_selection=keys),
        status=dg.DagsterRunStatus.NOT_STARTED,
        tags={"dagster/partition": target.partition} if target.partition else {},
        asset_selection=frozenset(keys),
        remote_job_origin=origin,
        job_code_origin=known.get_reconstructable_job(stage.job).get_python_origin(),
    )
    instance.report_dagster_event(dg.DagsterEvent.job_enqueue(run), run_id=run.run_id)
    return run.run_id
