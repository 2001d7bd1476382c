"""What a newcomer does, with real processes: the demo, the UI in a browser, a kill, a restart.

The demo is run once for the module, on the study that it writes, and everything is asked of that.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pandas as pd
import pytest

from streetineq_assets.store import DataStore

pytestmark = pytest.mark.slow

DEMO_LIMIT_S = 8 * 60
START_LIMIT_S = 120


def streetineq(*arguments, **options):
    command = [sys.executable, "-m", "streetineq_assets.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The finished demo: its store and what it printed."""
    root = tmp_path_factory.mktemp("demo") / "study"
    started = time.monotonic()
    done = streetineq("demo", "--root", root)
    seconds = time.monotonic() - started
    assert done.returncode == 0, done.stdout + done.stderr
    assert seconds < DEMO_LIMIT_S
    return DataStore(root), done.stdout


def figures(store, metric):
    table = store.open("lsoa_evaluation", "northmere/living_environment").table("metrics.parquet")
    rows = table[table["metric"] == metric]
    return rows.set_index(["model", "scheme"])["value"]


@pytest.fixture(scope="module")
def ui(demo):
    """The web server and the daemon on the demo's study, as `serve` starts them."""
    store, _ = demo
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streetineq_assets.cli", "serve"]
    command += ["--root", str(store.root), "--port", str(port)]
    server = subprocess.Popen(command, start_new_session=True)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(lambda: ask(url, "{ version }")["version"], START_LIMIT_S)
        yield url
    finally:
        os.killpg(server.pid, signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(timeout=30)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)


def ask(url, query, **variables):
    body = json.dumps({"query": query, "variables": variables}).encode()
    request = urllib.request.Request(
        f"{url}/graphql", body, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)["data"]


def wait_for(condition, limit_s):
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        with contextlib.suppress(OSError, KeyError, TypeError):
            found = condition()
            if found:
                return found
        time.sleep(1)
    pytest.fail(f"not within {limit_s} s")


def test_the_network_recovers_the_truth_with_the_baseline_beside_it(demo):
    store, printed = demo
    spearman = figures(store, "spearman_score")
    assert spearman["network", "area"] > 0.6
    assert ("coordinates", "area") in spearman.index
    assert "coordinates" in printed


def test_it_says_loudly_that_all_is_synthetic(demo):
    _, printed = demo
    assert "synthetic" in printed.splitlines()[0].lower()


def test_missing_truncated_and_foreign_files_are_counted_by_reason(demo):
    _, printed = demo
    for reason in ("missing", "truncated", "not_an_image", "foreign"):
        assert re.search(rf"{reason}\D+[1-9]", printed), f"{reason} is not counted in:\n{printed}"


def test_the_report_is_one_file_that_needs_no_network(demo):
    store, printed = demo
    path = next(line.split()[-1] for line in printed.splitlines() if line.endswith(".html"))
    text = open(path, encoding="utf-8").read()
    assert "ynthetic" in text
    loaded = re.findall(r"""(?:src|href)=["'](https?:[^"']+\.(?:js|css|png|svg))""", text)
    assert loaded == []


def test_a_second_run_skips_everything_and_takes_seconds(demo):
    store, _ = demo
    before = {path: path.stat().st_mtime_ns for path in store.root.glob("assets/**/manifest.json")}
    started = time.monotonic()
    done = streetineq("demo", "--root", store.root)
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - started < 90
    after = {path: path.stat().st_mtime_ns for path in store.root.glob("assets/**/manifest.json")}
    assert after == before
