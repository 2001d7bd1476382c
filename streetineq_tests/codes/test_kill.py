"""kill -9 at random moments, with real processes: what remains is true, and the end is the same."""

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
KILLS = 10


def write_images(root):
    files = views_of(IDS)
    names = list(files)
    images = DataStore(root).inputs("images", "leeds")
    write_files(images, {name: files[name] for name in names[:60]})
    write_tar(images / "rest.tgz", {name: files[name] for name in names[60:]})


def run_and_kill(root, after_s):
    """Whether the process was killed before it was done."""
    command = [sys.executable, "-m", "streetineq_tests.codes.killed", str(root), ",".join(IDS)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        time.sleep(after_s)
        process.kill()
        rest = process.stdout.read()
    return process.returncode == -signal.SIGKILL and "done" not in rest


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    root = tmp_path_factory.mktemp("whole")
    write_images(root)
    extract_and_publish(root, IDS, seconds=0)
    return DataStore(root).open("image_codes", KEY)


def test_ten_kills_and_the_content_is_that_of_an_uninterrupted_run(tmp_path, uninterrupted):
    store = DataStore(tmp_path)
    write_images(tmp_path)
    draw = random.Random(2019)
    kills, parts_left = 0, set()
    for _ in range(4 * KILLS):
        killed = run_and_kill(tmp_path, draw.uniform(0.0, 0.4))
        if not killed:
            _forget(store)  # it came through: begin anew
        kills += killed
        if kills == KILLS:
            break
        parts = list(store.workspace("image_codes", KEY).glob("part-*.h5"))
        parts_left.add(len(parts))
        for part in parts:
            with Bucket(part) as bucket:
                assert bucket.is_intact(), "a file that opens must not lie"
        if store.manifest("image_codes", KEY):
            store.open("image_codes", KEY)
    assert kills == KILLS
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
