"""Fixtures that tests of several folders share."""

import contextlib
import os
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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

# As root, and without a look at the network.
CHROMIUM = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
REPOSITORY = Path(__file__).resolve().parents[1]


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """Number of processes for `-n auto`: 0 is pytest's own alone, None leaves it to xdist.

    A module is never split, so one module gains nothing by a second process. Slow tests measure
    times that a user waits, with the machine to themselves; tests of faults do not.
    """
    one_module = len(config.args) == 1 and ".py" in config.args[0]
    slow = "not slow" not in config.option.markexpr and config.option.markexpr != "faults"
    return 0 if one_module or slow else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How much the tests below `security` and `faults` tried, over all processes."""
    totals: Counter[str] = Counter()
    tried: Counter[str] = Counter()
    survived: Counter[str] = Counter()
    for report in terminalreporter.getreports(""):
        if report.when == "teardown":
            properties = dict(report.user_properties)
            totals.update({name: properties.get(name, 0) for name in ("attempts", "refused")})
            tried.update(properties.get("faults tried", ()))
            survived.update(properties.get("faults survived", ()))
    if made := totals["attempts"]:
        terminalreporter.write_line(f"security: {made} attempts, {totals['refused']} refused")
    if tried:
        for kind, n in sorted(tried.items()):
            terminalreporter.write_line(f"  {kind}: {n} tried, {survived[kind]} survived")
        n = survived.total()
        terminalreporter.write_line(f"faults: {tried.total()} tried, {n} survived")


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

    `models/test_training` has XLA on, where it is of any account.
    """
    with _without_xla():
        yield


@pytest.fixture
def plain_step() -> Iterator[None]:
    """As `plain_steps`, for one test."""
    with _without_xla():
        yield


@pytest.fixture(scope="session")
def chain(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any, Any]:
    """The store of a small study after every job has run, the runs' results, and the truth.

    Tests that change something take a copy.
    """
    from streetineq_assets.store import DataStore
    from streetineq_tests.chain import AWKWARD, run_chain, write_small_study

    root = tmp_path_factory.mktemp("chain") / AWKWARD
    truth = write_small_study(root)
    with _without_xla():
        return DataStore(root), run_chain(root), truth


@contextlib.contextmanager
def _without_xla() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Device, "jit_training", False)
        yield


@contextlib.contextmanager
def launched_chromium() -> Iterator[Any]:
    """Chromium without a window.

    Raises:
        FileNotFoundError: it is not installed.
    """
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium")
    if not chromium:
        raise FileNotFoundError("chromium is not installed")
    with sync_playwright() as play:
        launched = play.chromium.launch(executable_path=chromium, args=CHROMIUM)
        yield launched
        launched.close()


@pytest.fixture
def browser() -> Iterator[Any]:
    """Chromium without a window; tests that need it are skipped where it is absent."""
    pytest.importorskip("playwright.sync_api")
    if not shutil.which("chromium"):
        pytest.skip("chromium is not installed")
    with launched_chromium() as launched:
        yield launched
