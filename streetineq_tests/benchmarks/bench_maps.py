"""What the map alone says of London's real deciles, by how areas are held out.

    uv run python -m streetineq_tests.benchmarks.bench_maps DATA [OUTCOME ...]

DATA is the folder of real open data. Prints Spearman's rank correlation of each map's guess and the
decile, with 95 % intervals from resampling blocks of the map, under folds of areas, of areas with
500 m around them left out, of squares of 2 and 5 km with a margin of 1 km, and of local
authorities. Exits with 1 unless the best map reaches 0.85, 0.80, 0.65 and 0.50 on folds of areas.
It takes a quarter of an hour on two cores, nearly all of it for the Gaussian process.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree
from scipy.stats import rankdata

from streetineq_assets.models.folds import FoldTable, make_folds
from streetineq_assets.models.map_baselines import MAP_MODELS, guess_from_map
from streetineq_assets.predictions.blocks import placed_units
from streetineq_assets.predictions.bootstrap import metric_intervals
from streetineq_assets.settings import Folds
from streetineq_tests.integration.london import areas_on_the_map, write_labels

WANTED = {
    "mean_income": 0.85, "living_environment": 0.80, "crime": 0.65, "self_reported_health": 0.50,
}  # fmt: skip
SCHEMES = {
    "area": Folds(),
    "area, 500 m around": Folds(),
    "squares of 2 km": Folds(scheme="spatial_block", block_km=2),
    "squares of 5 km": Folds(scheme="spatial_block", block_km=5),
    "local authority": Folds(scheme="district"),
}
AROUND_M = {"area, 500 m around": 500.0}
PLACE = ["easting_m", "northing_m"]


def main(data: Path, outcomes: list[str]) -> int:
    with tempfile.TemporaryDirectory() as folder:
        areas = areas_on_the_map(write_labels(Path(folder), data))
    areas["msoa"] = areas["msoa"]
    areas["decile"] = areas[list(WANTED)].mean(axis=1)  # as the study's folds are stratified
    print("| outcome | held out | " + " | ".join(MAP_MODELS) + " |")
    reached = True
    for outcome in outcomes:
        for title, settings in SCHEMES.items():
            table = make_folds(areas, settings, seed=1, centroids=areas)
            found = correlations(areas.assign(decile=areas[outcome]), table, AROUND_M.get(title, 0))
            cells = [f"{value:.3f} ({lower:.3f} to {upper:.3f})" for value, lower, upper in found]
            print(f"| {outcome} | {title} | " + " | ".join(cells) + " |", flush=True)
            if title == "area":
                reached &= max(value for value, *_ in found) >= WANTED[outcome]
    return 0 if reached else 1


def correlations(
    areas: pd.DataFrame, table: FoldTable, around_m: float
) -> list[tuple[float, float, float]]:
    """Spearman and its interval, for each map."""
    guesses = {model: np.full(len(areas), np.nan) for model in MAP_MODELS}
    for fold in table.folds:
        test = (table.areas["fold"] == fold).to_numpy()
        buffer = table.buffers.loc[table.buffers["fold"] == fold, "area"]
        train = ~test & ~areas["area"].isin(set(buffer)).to_numpy()
        if around_m:
            train &= cKDTree(areas.loc[test, PLACE]).query(areas[PLACE])[0] > around_m
        for model, guess in guesses.items():
            guess[test] = guess_from_map(areas[train], areas[test], model=model)[1]
    return intervals(areas, list(guesses.values()))


def intervals(areas: pd.DataFrame, guesses: list[np.ndarray]) -> list[tuple[float, float, float]]:
    """Spearman's rank correlation of each guess with its 95 % interval, as evaluations have it."""
    actual = areas["decile"].to_numpy(np.int64)
    blocks = placed_units(areas["area"], areas, guesses, actual)[0].label
    found = []
    for guess in guesses:
        ranked = np.ceil(10 * rankdata(guess, "ordinal") / len(guess)).astype(np.int64)
        table = metric_intervals(actual, ranked, guess, blocks=blocks).set_index("metric")
        row = table.loc["spearman_score"]
        found.append((float(row["value"]), float(row["lower"]), float(row["upper"])))
    return found


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve(), sys.argv[2:] or list(WANTED)))
