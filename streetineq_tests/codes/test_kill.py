"""kill -9 at random moments, with real processes: what is left is true, and the end is the same."""

import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from streetineq_assets.codes.bucket_file import Bucket
from streetineq_assets.store import DataStore
from streetineq_tests.codes.killed import KEY, extract_and_publish
from streetineq_tests.images.pictures import views_of, write_files, write_tar

IDS = [f"L{number:02d}" for number in range(30)]


def write_images(root):
    files = views_of(IDS)
    names = list(files)
    images = DataStore(root).inputs("images", "leeds")
    write_files(images, {name: files[name] for name in names[:60]})
    write_tar(images / "rest.tgz", {name: files[name] for name in names[60:]})


def parts_of(root):
    return list(DataStore(root).workspace("image_codes", KEY).glob("part-*.h5"))


def run_and_kill(root, moments):
    """Whether the process was killed before it was done.

    It is killed some milliseconds after it wrote no, one or two more parts, however busy the
    machine is.
    """
    command = [sys.executable, "-m", "streetineq_tests.codes.killed", str(root), ",".join(IDS)]
    awaited = len(parts_of(root)) + moments.randrange(3)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        while len(parts_of(root)) < awaited and process.poll() is None:
            time.sleep(0.001)
        time.sleep(moments.uniform(0.0, 0.05))
        process.kill()
        rest = process.stdout.read()
    return process.returncode == -signal.SIGKILL and "done" not in rest


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    root = tmp_path_factory.mktemp("whole")
    write_images(root)
    extract_and_publish(root, IDS, seconds=0)
    return DataStore(root).open("image_codes", KEY)


@pytest.mark.parametrize("kills", [2, pytest.param(10, marks=pytest.mark.slow)])
def test_after_kills_the_content_is_that_of_an_uninterrupted_run(tmp_path, uninterrupted, kills):
    store = DataStore(tmp_path)
    write_images(tmp_path)
    moments = random.Random(2019)
    killed, parts_left = 0, set()
    for _ in range(4 * kills):
        if run_and_kill(tmp_path, moments):
            killed += 1
        else:
            _forget(store)  # it came through: begin anew
        if killed == kills:
            break
        parts = parts_of(tmp_path)
        parts_left.add(len(parts))
        for part in parts:
            with Bucket(part) as bucket:
                assert bucket.is_intact(), "a file that opens must not lie"
        if store.manifest("image_codes", KEY):
            store.open("image_codes", KEY)
    assert killed == kills
    if kills > 2:
        assert len(parts_left) > 2, "the kills hit different moments"
    extract_and_publish(tmp_path, IDS, seconds=0)
    published = store.open("image_codes", KEY)
    assert published.digest == uninterrupted.digest
    files = [artefact.file("image_codes.h5") for artefact in (published, uninterrupted)]
    with Bucket(files[0]) as mine, Bucket(files[1]) as theirs:
        assert mine.contents.location_ids == theirs.contents.location_ids == IDS
        assert np.array_equal(mine.contents.image_sha256, theirs.contents.image_sha256)
        assert np.array_equal(mine.read(slice(None)), theirs.read(slice(None)))
    assert not list(published.folder.glob(".work/*"))


def _forget(store):
    folder = store.folder("image_codes", KEY)
    (folder / "manifest.json").unlink()
    store.clear_workspace("image_codes", KEY)
