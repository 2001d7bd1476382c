"""Seconds that evaluating London takes: aggregation, metrics with intervals, decile intervals.

131,000 simulated locations in 4,835 areas, 13 outcomes, the network beside every map and by every
unit that is resampled. Prints each part, and exits 1 where all outcomes together take over 90 s of
one core:

    OMP_NUM_THREADS=1 uv run python -m streetineq_tests.benchmarks.bench_evaluation
"""

import sys
import time
from collections import Counter

import numpy as np
import pandas as pd

from streetineq_assets.models.tables import PROBABILITIES
from streetineq_assets.predictions import intervals
from streetineq_assets.predictions.aggregation import aggregate, area_means, lsoa_table
from streetineq_assets.predictions.evaluation import evaluate_pair
from streetineq_tests.predictions import simulated

N_OUTCOMES = 13
N_AREAS = 4835
LOCATIONS_PER_AREA = 27
LIMIT_S = 90.0
RULE = "mean_score"


def main() -> int:
    """Print the seconds of each part, of all outcomes together."""
    seconds: Counter[str] = Counter()
    for outcome in range(N_OUTCOMES):
        locations = simulated.locations(N_AREAS, LOCATIONS_PER_AREA, seed=outcome)
        _evaluate(locations, seconds)
    for part, taken in seconds.items():
        print(f"{part:<28}{taken:>8.1f} s")
    total = seconds["one outcome's areas"] + seconds["metrics with intervals"]
    print(f"{N_OUTCOMES} outcomes of {len(locations):,} locations: {total:.1f} of {LIMIT_S:.0f} s")
    return int(total > LIMIT_S)


def _evaluate(locations: pd.DataFrame, seconds: Counter[str]) -> None:
    """The areas hold aggregation by every rule and decile intervals, which are shown apart too."""
    areas = _timed(seconds, "one outcome's areas", lambda: lsoa_table(locations, rule=RULE))
    _timed(seconds, "  of it one rule", lambda: aggregate(locations, rule=RULE))
    probabilities = area_means(locations, list(PROBABILITIES))[list(PROBABILITIES)].to_numpy()
    known = {"actual": areas["actual_decile"], "folds": areas["fold"]}
    known["predicted"] = areas["decile"]
    decile_intervals = intervals.decile_intervals
    _timed(seconds, "  of it decile intervals", lambda: decile_intervals(probabilities, **known))
    baselines, placed = simulated.baselines(areas), simulated.centroids(areas)
    msoa = np.char.add("E02", (np.arange(N_AREAS) // 5).astype(str))
    settings = {"rule": RULE, "scheme": "area", "seed": 1}
    _timed(
        seconds,
        "metrics with intervals",
        lambda: evaluate_pair(
            areas, probabilities, baselines, placed.assign(msoa=msoa.astype(object)), **settings
        ),
    )


def _timed(seconds: Counter[str], part: str, work):
    started = time.process_time()
    found = work()
    seconds[part] += time.process_time() - started
    return found


if __name__ == "__main__":
    sys.exit(main())
