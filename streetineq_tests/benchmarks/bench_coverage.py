"""How often 95 % intervals hold, by what is resampled: the table that `bootstrap` states.

Takes about ten minutes on one core. Exits 1 where intervals by blocks of the map hold in less than
93 of 100 cities of 500 or 1,500 areas, errors reaching 1 or 2 km; at 4 km too few blocks are left:

    OMP_NUM_THREADS=1 uv run python -m streetineq_tests.benchmarks.bench_coverage
"""

import itertools
import sys

from streetineq_assets.predictions.blocks import MAP_BLOCK
from streetineq_tests.predictions.test_coverage import coverage

CITIES = {50: 400, 500: 400, 1500: 200}  # areas: how many cities
SCALES_KM = ((1, 2), (2, 3), (4, 4))  # of errors and of labels
SHARES = (0, 0.3, 0.6)
WANTED = 0.93
FARTHEST_KM = 2


def main() -> int:
    """Print one line for each kind of city."""
    missed = False
    for (n_areas, n_cities), scales, share in itertools.product(CITIES.items(), SCALES_KM, SHARES):
        kind = {"scale_km": scales[0], "label_scale_km": scales[1], "share": share}
        found = coverage(n_cities, n_areas, seed=n_areas, **kind)
        shown = ", ".join(f"{unit} {value:.3f}" for unit, value in sorted(found.items()))
        print(f"{n_areas} areas, scale {scales[0]} km, share {share}: {shown}", flush=True)
        missed |= n_areas > 50 and scales[0] <= FARTHEST_KM and found[MAP_BLOCK] < WANTED
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
