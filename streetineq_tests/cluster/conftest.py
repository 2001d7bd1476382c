"""A study whose buckets a cluster encodes, and the cluster."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from filelock import FileLock, Timeout

from streetineq_assets.codes import assets
from streetineq_assets.study_template import ensure_instance
from streetineq_tests.cluster.local_cluster import HEAD, LocalCluster, wait_for
from streetineq_tests.cluster.quick import SEEN, SLOW, QuickDevice, noting_encoder
from streetineq_tests.codes.encoded_study import BUCKETS, Platform


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    """A head without CPUs, and `node_a` with one; skipped where it cannot be had."""
    if not (find_spec("ray") and find_spec("dagster_ray")):
        pytest.skip("Ray is not installed: `uv sync --extra ray`")
    if subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False).returncode:
        pytest.skip("this user may not make a network namespace, and Ray would listen elsewhere")
    cluster = LocalCluster()
    try:
        cluster.start("head")
        cluster.start("node_a", "--num-cpus=1")
        yield cluster
    finally:
        cluster.stop()


class ClusterStudy(Platform):
    """The study, and runs of its buckets in processes of their own."""

    def prepare(self) -> None:
        self.write()
        self.run("street_images")
        ensure_instance(self.store)
        with dg.DagsterInstance.from_config(str(self.store.dagster_home)) as instance:
            instance.event_log_storage.set_concurrency_slots("gpu", 2)

    def start(self, command: list[str], key: str, kind: str = "auto", **changed: str) -> "Run":
        return Run(self, command, key, kind, changed)

    def start_on(self, cluster: LocalCluster, key: str, kind: str = "auto") -> "Run":
        on_ray = {"STREETINEQ_EXECUTOR": "ray", "RAY_ADDRESS": HEAD}
        return self.start(cluster.command(), key, kind, **on_ray)

    def run_here(self, key: str) -> None:
        """Without a cluster, in this process."""
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(assets, "kept_encoder", noting_encoder)
            patched.setenv("STREETINEQ_DATA", str(self.root))
            self.run("image_codes", key, gpu=QuickDevice())

    def slow_down(self, seconds: float) -> None:
        (self.root / SLOW).write_text(str(seconds))

    def seen(self) -> list[dict[str, Any]]:
        """The environment of each batch that was encoded."""
        file = self.root / SEEN
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def wait_for_batches(self, count: int) -> None:
        wait_for(lambda: len(self.seen()) >= count, 240)

    def is_taken(self, key: str) -> bool:
        """Whether a step works on a bucket."""
        lock = FileLock(self.store.workspace("image_codes", key) / "lock", timeout=0)
        try:
            lock.acquire()
        except Timeout:
            return True
        lock.release()
        return False

    def digests(self) -> dict[str, str]:
        """The content of each bucket that is published and whole."""
        published = [self.store.intact("image_codes", key) for key in BUCKETS]
        return {found.partition: found.digest for found in published if found}


class Run:
    """A run in a process of its own."""

    def __init__(
        self, study: ClusterStudy, command: list[str], key: str, kind: str, changed: dict[str, str]
    ) -> None:
        self._answer = study.root / f"{key.replace('/', '-')}.json"
        self._answer.unlink(missing_ok=True)
        module = [sys.executable, "-m", "streetineq_tests.cluster.one_run"]
        own = {
            "STREETINEQ_DATA": str(study.root),
            "DAGSTER_HOME": str(study.store.dagster_home),
        }
        self._process = subprocess.Popen(
            [*command, *module, key, kind, str(self._answer)],
            env=os.environ | own | changed,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def result(self, seconds: float = 400) -> dict[str, Any]:
        """What became of it.

        Raises:
            TimeoutExpired: it waits for something that does not come.
        """
        try:
            output, _ = self._process.communicate(timeout=seconds)
        finally:
            self._process.kill()
        assert self._answer.is_file(), output
        return json.loads(self._answer.read_text())


@pytest.fixture
def study(tmp_path: Path) -> ClusterStudy:
    study = ClusterStudy(tmp_path / "study")
    study.prepare()
    return study


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The content of the buckets where nothing happens and there is no cluster."""
    study = ClusterStudy(tmp_path_factory.mktemp("undisturbed"))
    study.prepare()
    for key in BUCKETS:
        study.run_here(key)
    return study.digests()
