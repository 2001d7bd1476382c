"""Training in real processes that are killed at random moments, then resumed."""

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
from streetineq_assets.study import (PROFILES, Folds)
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


@pytest.mark.slow
def test_ten_kills_at_random_moments_change_nothing(tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert start(whole).wait() == 0
    rng = random.Random(7)
    for _ in range(10):
        process = start(killed)
        began = time.monotonic()
        while not (killed / "fold_0.npz").exists() and time.monotonic() - began < 60:
            time.sleep(0.05)
        time.sleep(rng.uniform(0, 1.5) + (8 if rng.random() < 0.5 else 0))
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert start(killed).wait() == 0
    expected = (whole / "digest").read_text(encoding="utf-8")
    assert (killed / "digest").read_text(encoding="utf-8") == expected
