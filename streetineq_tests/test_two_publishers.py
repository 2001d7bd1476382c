"""Two processes publish one artefact at the same time, without locks, and others read it.

So it is where machines share a study: a node that is lost to the cluster may be alive, and its step
runs twice. What is simulated of a network file system is that locks hold nobody off. That another
machine sees a new name or a new size some seconds late is not: here all see the same.
"""

import subprocess
import sys

import pytest

from streetineq_assets.errors import StoreError
from streetineq_assets.store import DataStore
from streetineq_tests.publishers import ASSET, KEY, label_of, publish

COUNT = 60


def start(store, name, n_files, count=COUNT):
    command = [sys.executable, "-m", "streetineq_tests.publishers"]
    return subprocess.Popen([*command, str(store.root), name, str(n_files), str(count)])


def labels(store):
    """Who wrote each file of the artefact as it stands."""
    artefact = store.open(ASSET, KEY)
    return {label_of(artefact.file(name).read_text()) for name in artefact.manifest.files}


@pytest.mark.parametrize("n_files", [1, 3])
def test_a_reader_sees_one_whole_publication_and_so_it_ends(tmp_path, n_files):
    store = DataStore(tmp_path)
    publish(store, "first", n_files)
    writers = [start(store, name, n_files) for name in ("here", "there")]
    seen = set()
    while any(writer.poll() is None for writer in writers):
        try:
            found = labels(store)
        except (StoreError, FileNotFoundError):  # one has just taken the place of another
            continue
        assert len(found) == 1, "files of two publications were read as one"
        seen |= found
    assert [writer.returncode for writer in writers] == [0, 0]
    assert {label.split("-")[0] for label in seen} >= {"here", "there"}
    assert labels(store) <= {f"{name}-{COUNT - 1}" for name in ("here", "there")}
