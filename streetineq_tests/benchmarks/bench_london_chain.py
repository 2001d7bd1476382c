"""London's chain at its real size, from packing to the report: time and memory of each step.

    uv run python -m streetineq_tests.benchmarks.bench_london_chain [../shared/data]
        [--locations 131000] [--outcomes 13] [--epochs 2] [--schemes area district] [--folder DIR]

131,000 locations in 4,835 areas, 13 outcomes that are trained jointly for a few epochs. Codes are
simulated: 4,096 numbers a view with the mean and deviation of fc6, in which a few directions carry
the area's deciles. They lie in bucket files as `image_codes` writes them. With the folder of real
data postcodes, boundaries and the labels of ten outcomes are London's; the others are by chance.

Every asset runs in a process of its own, pairs one after another; CPU seconds and peak of memory
are of that process, imports included. 14 GB of disk are taken, and 13 of them given back. Exits
with 1 when the report takes over a minute or a step over 8 GB.
"""

import argparse
import sys
import time
from pathlib import Path

from streetineq_assets.labels.outcomes import OUTCOMES
from streetineq_assets.stages import CODES, STAGES
from streetineq_tests.benchmarks.apart import folder, run_step
from streetineq_tests.benchmarks.london_chain import write_london

# Of one city nothing is transferred.
STEPS = [
    asset
    for stage in STAGES[STAGES.index(CODES) + 1 :]
    for asset in stage.assets
    if asset != "fine_tuned_model"
]
REPORT_S = 60.0
MEMORY_GB = 8.0
_HEAD = "{:<28}{:>5}{:>9}{:>9}{:>9}{:>9}{:>15}"


def main() -> int:
    """Simulate the codes, run every step, print a line for each."""
    options = argparse.ArgumentParser()
    options.add_argument("data", nargs="?", type=Path, help="the folder of real open data")
    options.add_argument("--locations", type=int, default=131_000)
    options.add_argument("--outcomes", type=int, default=len(OUTCOMES))
    options.add_argument("--epochs", type=int, default=2)
    options.add_argument("--schemes", nargs="*", default=["area", "district"])
    options.add_argument("--folder", type=Path, help="for the study, which stays; else temporary")
    given = options.parse_args()
    with folder(given.folder) as place:
        root, started = place / "london", time.perf_counter()
        made = write_london(
            root,
            given.data and given.data.resolve(),  # links are made to it
            n=given.locations,
            epochs=given.epochs,
            schemes=given.schemes,
            outcomes=list(OUTCOMES)[: given.outcomes],
        )
        print(f"{made}; written in {time.perf_counter() - started:.0f} s", flush=True)
        print(
            _HEAD.format("step", "runs", "seconds", "longest", "CPU s", "peak GB", "of it imports")
        )
        steps = {asset: _run(root, asset) for asset in STEPS}
    total = sum(step["seconds"] for step in steps.values())
    print(f"{'all steps':<28}{'':>5}{total:>9.0f}")
    report, peak = steps["inequality_report"]["seconds"], max(s["peak"] for s in steps.values())
    print(f"report {report:.0f} s of {REPORT_S:.0f}, most memory {peak:.1f} GB of {MEMORY_GB:.0f}")
    return 0 if report <= REPORT_S and peak <= MEMORY_GB else 1


def _run(root: Path, asset: str) -> dict[str, float]:
    """One step in a process of its own."""
    step = run_step(root, asset)
    line = f"{asset:<28}{step['runs']:>5}{step['seconds']:>9.1f}{step['longest']:>9.1f}"
    line += f"{step['cpu']:>9.1f}{step['peak']:>9.2f}"
    print(f"{line}{step['imported']:>15.2f}", flush=True)
    return step


if __name__ == "__main__":
    sys.exit(main())
