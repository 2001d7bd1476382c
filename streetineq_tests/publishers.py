"""A process that publishes one artefact again and again, beside another that does the same.

Usage: `python -m streetineq_tests.publishers ROOT NAME N_FILES COUNT`. Locks are taken away from
it, as on a network mount without any. Each file says who wrote it, in all of its lines.
"""

import fcntl
import sys
from pathlib import Path

from streetineq_assets.findings import Findings
from streetineq_assets.manifests import Recipe
from streetineq_assets.store import DataStore

ASSET, KEY = "table", "leeds"
N_LINES = 2_000


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


if __name__ == "__main__":
    root, name, n_files, count = sys.argv[1:]
    fcntl.flock = fcntl.lockf = lambda *_: None
    for number in range(int(count)):
        publish(DataStore(root), f"{name}-{number}", int(n_files))
