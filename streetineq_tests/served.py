"""The command line as a newcomer's shell has it, and a study that it serves."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

STREETINEQ = str(Path(sys.executable).with_name("streetineq"))
# A newcomer's shell has none of the settings that these tests run under.
SHELL = {k: v for k, v in os.environ.items() if not k.startswith(("TF_", "PYTEST"))}
START_LIMIT_S = 120
LAUNCH_BACKFILL = """
    mutation($keys: [AssetKeyInput!]!, $partitions: [String!]!) {
        launchPartitionBackfill(backfillParams: {
            assetSelection: $keys, partitionNames: $partitions }) {
            ... on LaunchBackfillSuccess { backfillId }
        }
    }
"""
STATUS_OF_BACKFILL = """
    query($id: String!) { partitionBackfillOrError(backfillId: $id) {
        ... on PartitionBackfill { status runs(limit: 100) {
            status assetSelection { path } tags { key value } } }
    } }
"""


class Served(NamedTuple):
    """A server that a command of a test started."""

    url: str
    pid: int


def streetineq(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """A command, run to its end."""
    command = [STREETINEQ, *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env=SHELL, **options
    )


@contextlib.contextmanager
def served(command: str, root: Path, *options: str) -> Generator[Served]:
    """`streetineq serve` or `streetineq webserver` on a free port, until the block is left."""
    port = free_port()
    line: Sequence[str] = [STREETINEQ, command, "--root", str(root), "--port", str(port), *options]
    server = subprocess.Popen(line, start_new_session=True, env=SHELL)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(lambda: ask(url, "{ version }")["version"], START_LIMIT_S)
        yield Served(url, server.pid)
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(timeout=60)


def free_port() -> int:
    """A port of 127.0.0.1 that nothing listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def ask(url: str, query: str, **variables: Any) -> dict[str, Any]:
    """The answer to a question in GraphQL."""
    body = json.dumps({"query": query, "variables": variables}).encode()
    request = urllib.request.Request(f"{url}/graphql", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)["data"]


def wait_for(condition: Callable[[], Any], limit_s: float) -> Any:
    """What the condition gives once it holds; the test fails where that takes too long."""
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        with contextlib.suppress(OSError, KeyError, TypeError):
            found = condition()
            if found:
                return found
        time.sleep(1)
    pytest.fail(f"not within {limit_s} s")
