"""Fixtures that tests of several folders share."""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from streetineq_assets.devices import Device

# TensorFlow, the linear algebra libraries and Dagster read these once, when they are imported.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("DAGSTER_DISABLE_TELEMETRY", "1")
if "PYTEST_XDIST_WORKER" in os.environ:
    # A core for each worker; more threads than cores wait for one another.
    for threads in (
        "TF_NUM_INTRAOP_THREADS",
        "TF_NUM_INTEROP_THREADS",
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
    ):
        os.environ.setdefault(threads, "1")

# The same examples on every machine, and no limit of time: machines are busy.
hypothesis.settings.register_profile("suite", deadline=None, derandomize=True)
hypothesis.settings.load_profile("suite")

REPOSITORY = Path(__file__).resolve().parents[1]


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """Number of processes for `-n auto`: 0 is pytest's own alone, None leaves it to xdist.

    A module is never split, so one module gains nothing by a second process. Slow tests measure
    times that a user waits, with the machine to themselves.
    """
    one_module = len(config.args) == 1 and ".py" in config.args[0]
    slow = "not slow" not in config.option.markexpr
    return 0 if one_module or slow else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How many attempts the tests below `security` made, over all processes."""
    totals: Counter[str] = Counter()
    for report in terminalreporter.getreports(""):
        if report.when == "teardown":
            totals.update(dict(report.user_properties))
    if made := totals["attempts"]:
        terminalreporter.write_line(f"security: {made} attempts, {totals['refused']} refused")


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
