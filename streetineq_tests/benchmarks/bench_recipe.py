"""The profile `recommended` against ridge regression on simulated codes, by size and signal.

    uv run python -m streetineq_tests.benchmarks.bench_recipe [--sizes 100 1000] [--locations 27 27]

Four attributes of an area, such as how green it is, are seen in each view through noise, along
directions of the code space that hold 0.1 to 1 % of its variance; 300 other directions, of which an
area, a location and a view have their own share, hold 70 %. The label follows the attributes, in a
straight line or not, as closely as `signal` says: the correlation of the labels' latent value with
what all views of an area would show. Four fifths of a city's areas train; 2,000 new areas are
scored, by the platform's own training and by ridge on the areas' mean codes, its penalty chosen by
leaving each area out. Exits with 1 where the network's Spearman correlation is behind ridge's by
more than its spread over seeds, in cities of 100 areas or more.
"""

import argparse
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from streetineq_assets.devices import Device
from streetineq_assets.models.folds import TRAIN_ONLY, FoldTable
from streetineq_assets.models.tables import BUFFERS
from streetineq_assets.profiles import PROFILES
from streetineq_assets.tables import empty
from streetineq_tests.models.synthetic import MEAN, SD, examples, train

N_TESTED = 2000  # chance gives a difference on 500 of them a deviation of 0.03
N_NUISANCES, NUISANCE_SHARE = 300, 0.7
ATTRIBUTE_SHARES = np.array([0.01, 0.003, 0.003, 0.001])
SCATTER = 0.7  # of a location around its area, and of a view around its location
JUDGED_FROM = 100
PENALTIES = np.logspace(1, 7, 13)
HEADINGS = ("areas", "signal", "form", "attainable", "recommended", "ridge", "difference")


@dataclass(frozen=True)
class Cell:
    """One kind of city: how many areas, how strong a signal, `linear` or `nonlinear`.

    Attributes:
        locations: of an area, at least and at most.
    """

    n_areas: int
    signal: float
    form: str
    locations: tuple[int, int] = (2, 4)


def main() -> int:
    """Run every cell, print a table, return the exit code."""
    options = argparse.ArgumentParser()
    options.add_argument("--sizes", type=int, nargs="+", default=[100, 300])
    options.add_argument("--signals", type=float, nargs="+", default=[0.3, 0.6, 0.9])
    options.add_argument("--forms", nargs="+", default=["linear", "nonlinear"])
    options.add_argument("--locations", type=int, nargs=2, default=[2, 4])
    options.add_argument("--tested", type=int, default=N_TESTED)
    options.add_argument("--seeds", type=int, default=4)
    options.add_argument("--width", type=int, default=4096)
    asked = options.parse_args()
    print("".join(f"{name:>18}" for name in HEADINGS))
    held = True
    for n_areas in asked.sizes:
        for signal in asked.signals:
            for form in asked.forms:
                cell = Cell(n_areas, signal, form, tuple(asked.locations))
                seeds = range(asked.seeds)
                found = [compare(cell, asked.width, seed, asked.tested) for seed in seeds]
                held &= report(cell, pd.DataFrame(found))
    return 0 if held else 1


def report(cell: Cell, found: pd.DataFrame) -> bool:
    """Print a row of the table; whether the network is not behind."""
    found["difference"] = found["recommended"] - found["ridge"]
    mean, sd = found.mean(), found.std(ddof=1)
    behind = cell.n_areas >= JUDGED_FROM and mean["difference"] + sd["difference"] < 0
    shown = [f"{mean[name]:.3f} ({sd[name]:.3f})" for name in HEADINGS[3:]]
    row = [str(cell.n_areas), f"{cell.signal:g}", cell.form, *shown]
    print("".join(f"{value:>18}" for value in row), " BEHIND" if behind else "", flush=True)
    return not behind


def compare(cell: Cell, width: int, seed: int, n_tested: int) -> dict[str, float]:
    """Spearman's correlation of the test areas' labels with each guess, and with the best one."""
    rng = np.random.default_rng((seed, cell.n_areas, round(100 * cell.signal)))
    n_train = round(0.8 * cell.n_areas)
    codes, rows, best = simulate(cell, n_train + n_tested, width, rng)
    of_area = rows.groupby("area")[["latent"]].first().assign(best=best)
    tested = of_area.index >= f"E{n_train:06d}"
    rows["decile"] = deciles(of_area["latent"], tested)[rows["area"]].to_numpy()
    guesses = {
        "attainable": of_area["best"],
        "recommended": by_network(codes, rows, of_area.index[tested], seed),
        "ridge": by_ridge(codes, rows, of_area.index, tested),
    }
    actual = of_area.loc[tested, "latent"]
    return {k: actual.corr(guess[actual.index], method="spearman") for k, guess in guesses.items()}


def simulate(
    cell: Cell, n_areas: int, width: int, rng: np.random.Generator
) -> tuple[NDArray[np.float32], pd.DataFrame, NDArray[np.float64]]:
    """Codes (n, 4, width), their rows with the `latent` label, and each area's best guess."""
    nuisances, attributes = directions(width)
    fewest, most = cell.locations
    area = np.repeat(np.arange(n_areas), rng.integers(fewest, most + 1, n_areas))
    n, k = len(area), len(nuisances)
    trait = rng.normal(size=(n_areas, len(attributes)))
    seen = trait[area] + SCATTER * rng.normal(size=(n, len(attributes)))
    seen = seen[:, None] + SCATTER * rng.normal(size=(n, 4, len(attributes)))
    own = 0.5 * (rng.normal(size=(n_areas, k))[area] + rng.normal(size=(n, k)))
    other = own[:, None] + np.sqrt(0.5) * rng.normal(size=(n, 4, k))
    codes = rng.standard_normal((n, 4, width), np.float32) * np.float32((1 - NUISANCE_SHARE) ** 0.5)
    codes += (other @ nuisances).astype(np.float32)
    codes += (seen / np.sqrt(1 + 2 * SCATTER**2) @ attributes).astype(np.float32)
    value = visible(trait, cell.form)
    latent = cell.signal * (value - value.mean()) / value.std()
    latent += np.sqrt(1 - cell.signal**2) * rng.normal(size=n_areas)
    names = [f"E{number:06d}" for number in area]
    rows = pd.DataFrame({"row": np.arange(n), "area": names, "latent": latent[area]})
    rows["location_id"] = [f"l{number:06d}" for number in range(n)]
    mean_seen = pd.DataFrame(seen.mean(axis=1)).groupby(area).mean().to_numpy()
    return MEAN + SD * codes, rows, visible(mean_seen, cell.form)


def directions(width: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Nuisances (k, width) of falling variance and attributes (4, width); the same in every city.

    An attribute lies partly along nuisances, so that it cannot be read off one direction.
    """
    rng = np.random.default_rng(7)
    k = min(N_NUISANCES, width // 2)
    share = 1 / np.arange(1, k + 1)
    unit = _unit(rng.normal(size=(k, width)))
    nuisances = unit * np.sqrt(NUISANCE_SHARE * width * share / share.sum())[:, None]
    mixed = _unit(rng.normal(size=(len(ATTRIBUTE_SHARES), k)) @ unit)
    own = _unit(rng.normal(size=(len(ATTRIBUTE_SHARES), width)))
    attributes = _unit(0.5 * mixed + own) * np.sqrt(ATTRIBUTE_SHARES * width)[:, None]
    return nuisances, attributes


def visible(trait: NDArray[np.float64], form: str) -> NDArray[np.float64]:
    """What an area's attributes (n, 4) say of its label; (n,)."""
    if form == "linear":
        return trait.sum(axis=1)
    a, b, c, d = trait.T
    return 0.55 * a + 0.5 * (b**2 - 1) / np.sqrt(2) + 0.5 * c * d + 0.44 * np.tanh(2 * b)


def deciles(latent: pd.Series, tested: NDArray[np.bool_]) -> pd.Series:
    """Of the training areas among themselves, as of the test areas."""
    cut = [(latent[part].rank() - 1) * 10 // part.sum() + 1 for part in (tested, ~tested)]
    return pd.concat(cut)


def by_network(codes: NDArray, rows: pd.DataFrame, tested: pd.Index, seed: int) -> pd.Series:
    """Mean score of each test area by the profile that ships."""
    names = np.unique(rows["area"])
    fold = np.where(np.isin(names, tested), 0, TRAIN_ONLY)
    areas = pd.DataFrame({"area": names, "fold": fold, "scheme": "area"})
    with tempfile.TemporaryDirectory() as folder:
        trained = train(
            examples(codes, rows, budget_bytes=2 * codes.nbytes),
            FoldTable(areas, empty(BUFFERS)),
            PROFILES["recommended"],
            Device(kind="cpu"),
            seed=seed,
            workspace=Path(folder),
        )
    scores = trained.scores("crime").merge(rows, on="location_id")
    return scores.groupby("area")["h"].mean()


def by_ridge(
    codes: NDArray, rows: pd.DataFrame, names: pd.Index, tested: NDArray[np.bool_]
) -> pd.Series:
    """Guess of each test area by ridge regression on areas' mean codes, standardised."""
    from sklearn.linear_model import RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    mean = pd.DataFrame(codes.mean(axis=1)).groupby(rows["area"].to_numpy()).mean().loc[names]
    known = rows.groupby("area")["decile"].first()[names]
    ridge = make_pipeline(StandardScaler(), RidgeCV(alphas=PENALTIES))
    ridge.fit(mean[~tested].to_numpy(), known[~tested].to_numpy())
    return pd.Series(ridge.predict(mean[tested].to_numpy()), index=names[tested])


def _unit(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


if __name__ == "__main__":
    sys.exit(main())
