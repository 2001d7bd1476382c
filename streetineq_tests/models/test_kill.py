"""Training in real processes that are killed at random moments, then resumed."""

import contextlib
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

TRAIN = """
import sys
from pathlib import Path
from streetineq_assets.devices import Device
from streetineq_assets.models.folds import make_folds
from streetineq_assets.profiles import PROFILES
from streetineq_assets.settings import Folds
from streetineq_tests.models.synthetic import areas, city, examples, train

codes, rows = city(60, 4, 256, seed=1)
profile = PROFILES["recommended"].model_copy(update={"epochs": 60, "patience": 0, "batch_size": 32})
trained = train(
    examples(codes, rows), make_folds(areas(rows), Folds(k=3), seed=5), profile, Device(kind="cpu"),
    seed=5, workspace=Path(sys.argv[1]), fingerprint={"data": "1"}, checkpoint_every_s=0.0,
)
Path(sys.argv[1], "digest").write_text(trained.digest(), encoding="utf-8")
"""


def start(workspace: Path) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-c", TRAIN, str(workspace)])


def wait_for_saves(workspace: Path, process: subprocess.Popen, saves: int) -> None:
    """Until the process has saved its state so many times; it stops where the process has ended."""
    began, seen, last = time.monotonic(), 0, saved_at(workspace)
    while seen < saves and process.poll() is None and time.monotonic() - began < 60:
        time.sleep(0.005)
        now = saved_at(workspace)
        seen, last = seen + (now > last), max(now, last)


def saved_at(workspace: Path) -> int:
    """When the newest state was saved, in nanoseconds; 0 where there is none at this moment."""
    with contextlib.suppress(FileNotFoundError):
        return max((p.stat().st_mtime_ns for p in workspace.glob("fold_?.npz")), default=0)
    return 0


@pytest.mark.slow
def test_ten_kills_at_random_moments_change_nothing(tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert start(whole).wait() == 0
    rng = random.Random(7)
    for n in range(10):
        process = start(killed)
        wait_for_saves(killed, process, 1 if n == 0 else rng.choice([0, rng.randint(1, 8)]))
        time.sleep(rng.uniform(0, 0.1))
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, "it had ended before it was killed"
        assert (killed / "fold_0.npz").exists(), "some of the training was done"
        assert not (killed / "digest").exists(), "and some of it was left"
    assert start(killed).wait() == 0
    expected = (whole / "digest").read_text(encoding="utf-8")
    assert (killed / "digest").read_text(encoding="utf-8") == expected
