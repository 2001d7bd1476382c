"""Fixtures that tests of several folders share."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from streetineq_assets.devices import Device

# TensorFlow and Dagster read these once, when they are imported.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("DAGSTER_DISABLE_TELEMETRY", "1")

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real open data beside the checkout; tests that need it are skipped without."""
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"real open data are not at {folder}")
    return folder


@pytest.fixture(scope="module")
def plain_steps() -> Iterator[None]:
    """Train without XLA, which takes longer to compile than small cities take to train.

    `models/test_training` has XLA on.
    """
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Device, "jit_training", False)
        yield
