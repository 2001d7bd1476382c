"""An acquisition killed three times, among faults of every kind, ends as an undisturbed one."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest

from streetineq_assets.store import DataStore
from streetineq_tests.harness import run
from streetineq_tests.imagery import acquiring_study
from streetineq_tests.imagery.acquiring_study import BUCKETS, SECRET, VARIABLE
from streetineq_tests.imagery.faults import TRANSIENT, Faults
from streetineq_tests.imagery.loopback import TOKEN, Loopback

pytestmark = pytest.mark.faults
STEP = """
import sys
from pathlib import Path
from streetineq_assets.store import DataStore
from streetineq_tests.harness import run
run(DataStore(Path(sys.argv[1])), sys.argv[2], sys.argv[3])
"""
RATES = dict.fromkeys(TRANSIENT, 0.04)


def published(store: DataStore) -> dict[str, dict[str, str]]:
    """The sha256 of every published file of the acquisition."""
    found = {}
    for asset, keys in (("imagery_plan", ["alpha"]), ("imagery", BUCKETS)):
        for key in keys:
            manifest = store.open(asset, key).manifest
            found[f"{asset}[{key}]"] = {name: f.sha256 for name, f in manifest.files.items()}
    return found


def started(store: DataStore, asset: str, key: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", STEP, str(store.root), asset, key],
        env=os.environ | {VARIABLE: TOKEN},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def killed_after(server: Loopback, purpose: str, n: int, process: subprocess.Popen) -> None:
    """Kill a step once the server has had so many more requests of a purpose."""
    before = server.seen[purpose]
    while server.seen[purpose] < before + n:
        assert process.poll() is None, "the step ended before it was killed"
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()


def finished(process: subprocess.Popen) -> None:
    assert process.wait(timeout=300) == 0


@pytest.fixture(scope="module")
def world():
    return acquiring_study.world()


@pytest.fixture(scope="module")
def undisturbed(world, tmp_path_factory):
    """What is published without any fault, and the port, which the recordings name."""
    with pytest.MonkeyPatch.context() as patch, Loopback(world) as server:
        patch.setenv(VARIABLE, TOKEN)
        store = acquiring_study.write(tmp_path_factory.mktemp("undisturbed"), server.url)
        run(store, "imagery_plan", "alpha")
        for key in BUCKETS:
            run(store, "imagery", key)
    return published(store), int(server.url.rpartition(":")[2])


def test_killed_three_times_among_faults_it_ends_the_same(world, undisturbed, tmp_path):
    expected, port = undisturbed
    faults = Faults(rates=RATES, seed=3, slow_s=0.05)
    with Loopback(world, faults=faults, links_valid_for=12, port=port) as server:
        store = acquiring_study.write(tmp_path / "study", server.url)
        killed_after(server, "search", 1, started(store, "imagery_plan", "alpha"))
        finished(started(store, "imagery_plan", "alpha"))
        for _ in range(2):
            killed_after(server, "picture", 2, started(store, "imagery", BUCKETS[0]))
        for key in BUCKETS:
            finished(started(store, "imagery", key))
    assert published(store) == expected
    assert SECRET not in acquiring_study.everything_below(store.root)
    assert Counter(faults.injected).total() > 0
