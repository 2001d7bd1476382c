"""A file that is locked is no damaged file: it says so, and nothing is thrown away."""

import errno
import os
import resource
import subprocess
import sys

import h5py
import numpy as np
import pandas as pd
import pytest

from streetineq_assets.codes.bucket_file import Bucket, Contents, write_bucket
from streetineq_assets.codes.finished_rows import FinishedRows
from streetineq_assets.codes.hdf5 import FileLockedError, new_hdf5, open_hdf5
from streetineq_assets.codes.shards import ShardReader
from streetineq_assets.errors import StoreError
from streetineq_tests.codes.buckets import IDS, CityOfBuckets
from streetineq_tests.codes.fakes import IDENTITY, WIDTH

SHAPE, FLOAT = (10, 4, 64), np.dtype(np.float32)
ROWS = pd.DataFrame({"shard": [0], "row": [0], "location_id": ["1"]})
HOLD = """
import sys, h5py
with h5py.File(sys.argv[1], "a"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def held_elsewhere():
    """Let another process hold files, until the test ends."""
    children = []

    def hold(path):
        command = [sys.executable, "-c", HOLD, str(path)]
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        children.append(child)
        assert child.stdout.readline() == b"held\n"

    yield hold
    for child in children:
        child.communicate()


@pytest.fixture
def no_locks(monkeypatch):
    """A file system that has none, as HDF5 tells it."""
    text = "Unable to open file (unable to lock file, errno = {0}, error message = '{1}')"
    number = errno.ENOLCK

    def refuse(*_, **__):
        raise OSError(number, text.format(number, os.strerror(number)))

    monkeypatch.setattr(h5py, "File", refuse)


def test_a_shard_that_another_program_holds_is_named_and_no_materialising_advised(
    tmp_path, held_elsewhere
):
    city = CityOfBuckets(tmp_path, IDS)
    city.pack()
    held_elsewhere(city.shards[1])
    with pytest.raises(FileLockedError) as raised, city.reader():
        pass
    text = str(raised.value)
    assert text.startswith(f"{city.shards[1]} is held by another program")
    assert "HDF5_USE_FILE_LOCKING" in text
    assert "materialise" not in text


@pytest.mark.parametrize(
    "open_file",
    [Bucket, open_hdf5, lambda path: ShardReader([path], ROWS)],
)
def test_a_file_system_without_locks_is_named_with_what_to_do(tmp_path, no_locks, open_file):
    with pytest.raises(FileLockedError, match=r"x\.h5 .* no locks: set HDF5_USE_FILE_LOCKING=FAL"):
        open_file(tmp_path / "x.h5")


def test_what_is_no_hdf5_says_what_to_do(tmp_path):
    (tmp_path / "x.h5").write_bytes(b"<html>")
    with pytest.raises(StoreError, match=r"x\.h5 is not readable as HDF5: get another"):
        open_hdf5(tmp_path / "x.h5", remedy="get another")


def test_a_part_that_is_locked_is_not_thrown_away(tmp_path, held_elsewhere):
    part = tmp_path / "part-1.h5"
    contents = Contents(["1"], np.array([["0" * 64] * 4]), IDENTITY)
    write_bucket(part, contents, [np.ones((1, 4, WIDTH), np.float32)])
    held_elsewhere(part)
    rows = FinishedRows(tmp_path, IDENTITY, screening="", wanted=["1"], report=lambda _: None)
    with rows, pytest.raises(FileLockedError):
        rows.add_parts()
    assert part.is_file()


@pytest.fixture
def largest_file():
    """Limit the size of this process's files, as a disk that fills up does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("size", [0, 100, 8_000, 40_000])
def test_no_file_is_begun_that_the_disk_does_not_take(tmp_path, largest_file, size):
    """HDF5 would crash, at the latest when this process ends."""
    largest_file(size)
    with pytest.raises(OSError, match="File too large"), new_hdf5(tmp_path / "x.h5", SHAPE, FLOAT):
        pytest.fail("there is no place for it")


def test_what_a_new_file_does_not_need_is_given_back(tmp_path):
    with new_hdf5(tmp_path / "x.h5", SHAPE, FLOAT) as file:
        file["codes"] = np.ones(SHAPE, FLOAT)
        file["ids"] = ["1" * 200] * SHAPE[0]
        reserved = (tmp_path / "x.h5").stat().st_size
    codes = np.ones(SHAPE, FLOAT).nbytes
    assert codes < (tmp_path / "x.h5").stat().st_size < codes + 20_000 < reserved
    with open_hdf5(tmp_path / "x.h5") as read:
        assert read["codes"].shape == SHAPE
