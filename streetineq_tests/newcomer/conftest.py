"""The demo, run once for all that is asked of it, and the UI of it."""

import os
import time
from pathlib import Path

import pytest

from streetineq_assets.store import DataStore
from streetineq_tests.served import served, streetineq

DEMO_LIMIT_S = 8 * 60


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    """The finished demo: its store and what it printed."""
    root = tmp_path_factory.mktemp("demo") / "study"
    started = time.monotonic()
    done = streetineq("demo", "--root", root)
    seconds = time.monotonic() - started
    assert done.returncode == 0, done.stdout + done.stderr
    assert seconds < DEMO_LIMIT_S
    return DataStore(root), done.stdout


@pytest.fixture(scope="session")
def ui(demo):
    """The address of the web server on the demo's study."""
    store, _ = demo
    with served("serve", store.root) as server:
        yield server.url


@pytest.fixture(scope="session")
def screenshots(tmp_path_factory):
    """Where pictures of pages go, to be looked at."""
    named = os.environ.get("STREETINEQ_SCREENSHOTS")
    folder = Path(named) if named else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
