"""A process that publishes one artefact again and again, beside another that does the same.

Usage: `python -m streetineq_tests.publishers ROOT NAME N_FILES`. For each line that it reads it
publishes once, and answers by a line. As on a network mount, locks hold nobody off, and a rename
takes its time. Each file says who wrote it, in all of its lines.
"""

import fcntl
import random
import socket
import sys
import time
from pathlib import Path

from streetineq_assets.findings import Findings
from streetineq_assets.manifests import Recipe
from streetineq_assets.store import DataStore

ASSET, KEY = "table", "leeds"
N_LINES = 2_000
SLOWEST_RENAME_S = 0.01


def publish(store: DataStore, label: str, n_files: int) -> None:
    def write(folder: Path) -> Findings:
        for number in range(n_files):
            (folder / f"{number}.txt").write_text(f"{label}\n" * N_LINES)
        return Findings()

    store.publish(ASSET, KEY, Recipe(code_version=label), write)


def label_of(text: str) -> str:
    """Who wrote a file; a file of several writers, or of half of one, is an error."""
    lines = text.splitlines()
    assert len(lines) == N_LINES
    (label,) = set(lines)
    return label


def be_another_machine(name: str) -> None:
    """With its own name, on a network mount."""
    moments = random.Random(name)

    def late(method):
        def moved(self, target):
            time.sleep(moments.uniform(0, SLOWEST_RENAME_S))
            moved_to = method(self, target)
            time.sleep(moments.uniform(0, SLOWEST_RENAME_S))
            return moved_to

        return moved

    Path.replace, Path.rename = late(Path.replace), late(Path.rename)
    fcntl.flock = fcntl.lockf = lambda *_: None
    socket.gethostname = lambda: name


if __name__ == "__main__":
    root, name, n_files = sys.argv[1:]
    be_another_machine(name)
    for number, _ in enumerate(sys.stdin):
        publish(DataStore(root), f"{name}-{number}", int(n_files))
        sys.stdout.write("done\n")
        sys.stdout.flush()
