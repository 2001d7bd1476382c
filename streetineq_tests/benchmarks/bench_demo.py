"""How long the demo takes once all is installed: to hold, 5 minutes on two quiet cores.

    uv run python -m streetineq_tests.benchmarks.bench_demo

It prints the demo's own lines, one for each run with its seconds, and exits with 1 when it took
longer. Encoding and training take most of it: see it beside `bench_extraction` on the same machine.
"""

import sys
import tempfile
import time

from streetineq_tests.served import streetineq

LIMIT_S = 5 * 60


def main() -> int:
    """Run the demo in a folder that is deleted afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        done = streetineq("demo", "--root", f"{folder}/demo")
        seconds = time.perf_counter() - started
    print(done.stdout, done.stderr, sep="")
    print(f"{seconds:.0f} s (at most {LIMIT_S})")
    return int(done.returncode != 0 or seconds > LIMIT_S)


if __name__ == "__main__":
    sys.exit(main())
