"""kill -9 at random moments, with real processes: what is left is true, and the end is the same."""

import random
import signal
import subprocess
import sys
import time
from typing import NamedTuple

import numpy as np
import pytest

from streetineq_assets.codes.bucket_file import Bucket
from streetineq_assets.store import DataStore
from streetineq_tests.codes.fakes import fake_encoder
from streetineq_tests.codes.killed import KEY, extract_and_publish, vgg16_on_cpu
from streetineq_tests.images.pictures import views_of, write_files, write_tar

IDS = [f"L{number:02d}" for number in range(30)]


class Work(NamedTuple):
    """Locations, the encoder, and how many seconds after a part the process is killed at most."""

    ids: list[str]
    encoder: str
    seconds: float


QUICK, VGG16 = Work(IDS, "slow", 0.05), Work(IDS[:12], "vgg16", 1.0)


def write_images(root, ids):
    files = views_of(ids)
    names = list(files)
    images = DataStore(root).inputs("images", "leeds")
    write_files(images, {name: files[name] for name in names[:40]})
    write_tar(images / "rest.tgz", {name: files[name] for name in names[40:]})


def parts_of(root):
    return list(DataStore(root).workspace("image_codes", KEY).glob("part-*.h5"))


def run_and_kill(root, work, moments):
    """Whether the process was killed before it was done.

    It is killed some milliseconds after it wrote no, one or two more parts, however busy the
    machine is.
    """
    command = [sys.executable, "-m", "streetineq_tests.codes.killed", str(root)]
    command += [",".join(work.ids), work.encoder]
    awaited = len(parts_of(root)) + moments.randrange(3)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        while len(parts_of(root)) < awaited and process.poll() is None:
            time.sleep(0.001)
        time.sleep(moments.uniform(0.0, work.seconds))
        process.kill()
        rest = process.stdout.read()
    return process.returncode == -signal.SIGKILL and "done" not in rest


def run_whole(root, work, encoder):
    extract_and_publish(root, work.ids, encoder)
    return DataStore(root).open("image_codes", KEY)


def kill_and_resume(root, work, kills):
    """Start it again and again, until so many processes were killed; what is left is true."""
    store = DataStore(root)
    moments = random.Random(2019)
    killed, parts_left = 0, set()
    for _ in range(4 * kills):
        if run_and_kill(root, work, moments):
            killed += 1
        else:
            _forget(store)  # it came through: begin anew
        if killed == kills:
            break
        parts = parts_of(root)
        parts_left.add(len(parts))
        for part in parts:
            with Bucket(part) as bucket:
                assert bucket.is_intact(), "a file that opens must not lie"
        if store.manifest("image_codes", KEY):
            store.open("image_codes", KEY)
    assert killed == kills
    if kills > 2:
        assert len(parts_left) > 2, "the kills hit different moments"


def require_same(published, whole, ids):
    assert published.digest == whole.digest
    files = [artefact.file("image_codes.h5") for artefact in (published, whole)]
    with Bucket(files[0]) as mine, Bucket(files[1]) as theirs:
        assert mine.contents.location_ids == theirs.contents.location_ids == ids
        assert np.array_equal(mine.contents.image_sha256, theirs.contents.image_sha256)
        assert np.array_equal(mine.read(slice(None)), theirs.read(slice(None)))
    assert not list(published.folder.glob(".work/*"))


@pytest.mark.parametrize("kills", [2, pytest.param(10, marks=pytest.mark.slow)])
def test_after_kills_the_content_is_that_of_an_uninterrupted_run(tmp_path, kills):
    encoder = fake_encoder(batch_size=4)
    for name in ("killed", "whole"):
        write_images(tmp_path / name, IDS)
    whole = run_whole(tmp_path / "whole", QUICK, encoder)
    kill_and_resume(tmp_path / "killed", QUICK, kills)
    require_same(run_whole(tmp_path / "killed", QUICK, encoder), whole, IDS)


@pytest.mark.faults
def test_so_it_is_with_vgg16_in_winograds_arithmetic(tmp_path):
    """Though parts were encoded in other batches, beside other images."""
    for name in ("killed", "whole"):
        write_images(tmp_path / name, VGG16.ids)
    encoder = vgg16_on_cpu()
    whole = run_whole(tmp_path / "whole", VGG16, encoder)
    kill_and_resume(tmp_path / "killed", VGG16, 10)
    require_same(run_whole(tmp_path / "killed", VGG16, encoder), whole, VGG16.ids)


def _forget(store):
    folder = store.folder("image_codes", KEY)
    (folder / "manifest.json").unlink()
    store.clear_workspace("image_codes", KEY)
