"""Two processes publish one artefact at the same time, without locks, and others read it.

So it is where machines share a study: a node that is lost to the cluster may be alive, and its step
runs twice. What is simulated of a network file system is that locks hold nobody off and that a
rename takes milliseconds. That another machine sees a new name or a new size some seconds late is
not: here all see the same.
"""

import contextlib
import select
import subprocess
import sys

import pytest

from streetineq_assets.errors import StoreError
from streetineq_assets.store import DataStore
from streetineq_tests.publishers import ASSET, KEY, label_of, publish

ROUNDS = 40


@contextlib.contextmanager
def writer(store, name, n_files):
    command = [sys.executable, "-m", "streetineq_tests.publishers"]
    with subprocess.Popen(
        [*command, str(store.root), name, str(n_files)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process


def labels(store):
    """Who wrote each file of the artefact as it stands."""
    artefact = store.open(ASSET, KEY)
    return {label_of(artefact.file(name).read_text()) for name in artefact.manifest.files}


def read_while(store, writers):
    """Who was read while all of them publish once."""
    seen, busy = set(), list(writers)
    for process in busy:
        process.stdin.write("go\n")
        process.stdin.flush()
    while busy:
        try:
            found = labels(store)
        except (StoreError, FileNotFoundError):  # one has just taken the place of another
            found = set()
        assert len(found) < 2, "files of two publications were read as one"
        seen |= found
        for process in select.select([each.stdout for each in busy], [], [], 0)[0]:
            assert process.readline() == "done\n"
            busy = [each for each in busy if each.stdout is not process]
    return seen


@pytest.mark.parametrize("n_files", [1, 3])
def test_whoever_reads_sees_one_whole_publication_and_so_it_ends(tmp_path, n_files):
    store = DataStore(tmp_path)
    publish(store, "first-0", n_files)
    seen = set()
    with writer(store, "here", n_files) as here, writer(store, "there", n_files) as there:
        for number in range(ROUNDS):
            seen |= read_while(store, [here, there])
            (last,) = labels(store)
            assert last in {f"here-{number}", f"there-{number}"}
        for process in (here, there):
            process.stdin.close()
    assert {label.split("-")[0] for label in seen} >= {"here", "there"}
