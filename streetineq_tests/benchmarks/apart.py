"""What benchmarks of whole studies share: a folder for them, and a step in a process of its own."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def folder(kept: Path | None) -> Iterator[Path]:
    """The folder that is kept, or one that is gone afterwards."""
    if kept:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept
        return
    with tempfile.TemporaryDirectory() as temporary:
        yield Path(temporary)


def run_step(root: Path, asset: str) -> dict[str, float]:
    """One asset on all of its partitions: seconds and gigabytes, as `london_step` prints them."""
    command = [sys.executable, "-m", "streetineq_tests.benchmarks.london_step", str(root), asset]
    # Of this module's own choice.
    done = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    return json.loads(done.stdout.splitlines()[-1])
