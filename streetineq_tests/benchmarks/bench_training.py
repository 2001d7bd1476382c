"""Training against the machine's limit, the original's data path, and its own promises.

    uv run python -m streetineq_tests.benchmarks.bench_training [--locations 20000]

Synthetic codes (mean -5.24, deviation 8.17) lie on disk as `hdf5_shards`. Rivals are interleaved
over five rounds and medians compared; where the time goes is printed by phase. Exits with 1 when a
ratio is missed.

Where the machine has AVX-512, speed is measured a second time in a process that is held to AVX2.
XLA's product of the first layer does not obey, which makes that process faster than a machine
without AVX-512 by up to a tenth.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import h5py
import numpy as np
import pandas as pd

from streetineq_assets.codes.shards import ShardReader
from streetineq_assets.devices import Device
from streetineq_assets.models.dataset import Codes, Examples
from streetineq_assets.models.folds import make_folds
from streetineq_assets.profiles import PROFILES
from streetineq_assets.settings import Folds
from streetineq_tests.benchmarks.training_phases import phases

ROUNDS = 5
WIDTH = 4096
FLOP_PER_LOCATION = 37.5e6
VALIDATION_FLOP_PER_LOCATION = 18.1e6
PER_AREA = 20
SHARD_ROWS = 2048
OUTCOMES = 11
LONDON_LOCATIONS = 131_465
CPU = Device(kind="cpu")
ONE_EPOCH = PROFILES["recommended"].model_copy(update={"epochs": 1, "batch_size": 256})


def main() -> int:
    """Run everything, print a table, return the exit code."""
    options = argparse.ArgumentParser()
    options.add_argument("--locations", type=int, default=20_000)
    options.add_argument("--speed-only", action="store_true")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = write_shards(Path(folder), given.locations)
        import tensorflow  # noqa: F401 - what importing takes is not training's

        imported = resident_mb()
        table = []
        if not given.speed_only:
            table += folds_of_london()
            table += memory(Path(folder), rows, imported)
        table += speed(Path(folder), rows)
        if not given.speed_only:
            table += small_folds()
    print(f"\n{'what':<58}{'measured':>12}{'to hold':>12}")
    for what, value, bound, holds in table:
        print(f"{what:<58}{value:>12}{bound:>12}  {'ok' if holds else 'MISSED'}")
    missed = not all(row[3] for row in table)
    if not given.speed_only and "avx512f" in Path("/proc/cpuinfo").read_text(encoding="ascii"):
        missed |= held_to_avx2(given.locations)
    return int(missed)


def held_to_avx2(locations: int) -> bool:
    """Measure speed in a process of its own, limit and training without AVX-512; True if missed."""
    print("\nheld to AVX2", flush=True)
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_max_isa=AVX2"
    command = [sys.executable, "-m", __spec__.name, "--speed-only", "--locations", str(locations)]
    environment = os.environ | {"ONEDNN_MAX_CPU_ISA": "AVX2", "XLA_FLAGS": flags}
    return subprocess.run(command, env=environment, check=False).returncode != 0


def speed(folder: Path, rows: pd.DataFrame) -> list[tuple]:
    """Locations per second, from memory and from disk, against the limit and the original's way."""
    codes_bytes = len(rows) * 4 * WIDTH * 2
    in_memory = examples(folder, rows, 2 * codes_bytes)
    from_disk = examples(folder, rows, codes_bytes // 3)
    joint = joined(in_memory)
    original = OriginalWay(folder, rows)
    contestants: dict[str, Callable[[], tuple[float, float]]] = {
        "memory": lambda: epoch(in_memory),
        "disk": lambda: epoch(from_disk),
        "joint": lambda: epoch(joint),
        "original": lambda: (original.locations_per_second(20), 0.0),
    }
    for run in contestants.values():
        run()  # compiles, and fills the page cache
    results: dict[str, list[tuple[float, float]]] = {name: [] for name in contestants}
    limits = []
    for _ in range(ROUNDS):
        for name, run in contestants.items():
            limits.append(matrix_product_limit())
            results[name].append(run())
    limit = median(limits)
    rate = {name: median(value for value, _ in found) for name, found in results.items()}
    wait = {name: median(value for _, value in found) for name, found in results.items()}
    print(f"limit {limit:.0f} locations/s; " + ", ".join(f"{n} {r:.0f}/s" for n, r in rate.items()))
    print("\n".join(phases(in_memory.codes, from_disk.codes, ONE_EPOCH, 256 * FLOP_PER_LOCATION)))
    counted = 1 + VALIDATION_FLOP_PER_LOCATION / FLOP_PER_LOCATION / 9
    print(
        f"with validation's products counted as well, the shares are {counted:.3f} times as large"
    )
    times_joint = OUTCOMES * rate["joint"] / rate["memory"]
    times_original = rate["memory"] / rate["original"]
    return [
        at_least("share of the matrix-product limit, in memory", rate["memory"] / limit, 0.75),
        at_least("share of the matrix-product limit, from disk", rate["disk"] / limit, 0.75),
        at_least("times the original's data path, per location", times_original, 30),
        at_least(f"joint training of {OUTCOMES} outcomes, times separate", times_joint, 8),
        at_most("share of time waiting for codes, in memory", wait["memory"], 0.05),
        at_most("share of time waiting for codes, from disk", wait["disk"], 0.05),
    ]


def memory(folder: Path, rows: pd.DataFrame, imported: float) -> list[tuple]:
    """Peak memory of five folds on a data set three times the budget, and growth between them."""
    budget = len(rows) * 4 * WIDTH * 2 // 3
    given = examples(folder, rows, budget)
    after = []
    for fold in range(5):
        epoch(given, fold)
        after.append(resident_mb())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"memory: imported {imported:.0f} MB, after folds {[round(a) for a in after]} MB, "
          f"peak {peak:.0f} MB, budget {budget / 2**20:.0f} MB")  # fmt: skip
    return [
        at_most("peak memory over import and budget, MB", peak - imported - budget / 2**20, 1024),
        at_most("growth from the third fold to the fifth, MB", after[4] - after[2], 50),
    ]


def small_folds() -> list[tuple]:
    """Seconds of a fold of 100 locations with the profile that ships, compiled steps apart."""
    from streetineq_tests.models import synthetic
    from streetineq_tests.models.synthetic import train

    codes, rows = synthetic.city(50, 2, WIDTH, seed=1)
    table = make_folds(synthetic.areas(rows), Folds(), seed=1)
    given = synthetic.examples(codes, rows)
    seconds = []
    for _ in range(2):
        with tempfile.TemporaryDirectory() as folder:
            started = time.perf_counter()
            train(
                given, table, PROFILES["recommended"], CPU, seed=1, workspace=Path(folder),
                fingerprint={},
            )  # fmt: skip
            seconds.append((time.perf_counter() - started) / 5)
    return [at_most("seconds for a fold of 100 locations, compiled", seconds[1], 2.0)]


def folds_of_london() -> list[tuple]:
    """Fold assignment at London's size, by the schemes that cost the most and the least."""
    rng = np.random.default_rng(0)
    codes = [f"E01{n:06d}" for n in range(4835)]
    frame = pd.DataFrame({"area": codes, "decile": np.arange(4835) % 10 + 1})
    centroids = pd.DataFrame({"area": codes, "easting_m": rng.uniform(503e3, 561e3, 4835)})
    centroids["northing_m"] = rng.uniform(155e3, 200e3, 4835)
    make_folds(frame, Folds(scheme="spatial_block"), seed=0, centroids=centroids)  # imports SciPy
    table = []
    for scheme in ("area", "spatial_block"):
        started = time.perf_counter()
        make_folds(frame, Folds(scheme=scheme), seed=0, centroids=centroids)
        seconds = time.perf_counter() - started
        table.append(at_most(f"seconds to fold London's 4,835 areas, {scheme}", seconds, 1.0))
    return table


class OriginalWay:
    """The original's way: batches of 10, class lists rescanned for each, four random reads, noise.

    The lists are London's, since rescanning them is what costs; the reads go to the rows on disk.
    """

    def __init__(self, folder: Path, rows: pd.DataFrame) -> None:
        import keras

        from streetineq_assets.models.network import build_network

        self.files = [h5py.File(path) for path in sorted(folder.glob("*.h5"))]
        self.n_rows = len(rows)
        self.labels = np.resize(rows["decile"].to_numpy(int) - 1, LONDON_LOCATIONS)
        self.train = list(range(LONDON_LOCATIONS * 4 // 5))
        self.rng = np.random.default_rng(0)
        self.network = build_network(PROFILES["suel2019"], WIDTH)
        self.network.compile(
            keras.optimizers.Adam(5e-6), keras.losses.BinaryCrossentropy(from_logits=True)
        )

    def locations_per_second(self, batches: int) -> float:
        """Of so many steps, reading included."""
        started = time.perf_counter()
        for _ in range(batches):
            chosen = []
            for c in range(10):
                members = [i for i in self.train if self.labels[i] == c]
                chosen.append(int(self.rng.choice(members)))
            chosen = sorted({i % self.n_rows for i in chosen})
            views = [self._read(chosen, view) for view in range(4)]
            x = np.stack(views, axis=1)
            x = x + self.rng.normal(0, 0.05, x.shape)
            self.network.train_on_batch(x.astype(np.float32), self.labels[chosen][:, None] / 9)
        return batches * 10 / (time.perf_counter() - started)

    def _read(self, chosen: list[int], view: int) -> np.ndarray:
        parts = []
        for number, file in enumerate(self.files):
            here = [i - number * SHARD_ROWS for i in chosen if i // SHARD_ROWS == number]
            if here:
                parts.append(file["features"][here, view, :])
        return np.concatenate(parts)


def epoch(given: Examples, fold: int = 0) -> tuple[float, float]:
    """Locations per second and share of waiting of one epoch, validation included."""
    from streetineq_tests.models.synthetic import train

    table = make_folds(given.rows[["area", "decile"]].drop_duplicates("area"), Folds(), seed=1)
    with tempfile.TemporaryDirectory() as folder:
        trained = train(
            given, table, ONE_EPOCH, CPU, seed=1, workspace=Path(folder), folds=[fold],
        )  # fmt: skip
    history = trained.history()
    seconds = history["seconds"].sum()
    trained_on = len(given.rows) * 0.8 * 0.9
    return trained_on / seconds, history["wait_seconds"].sum() / seconds


def examples(folder: Path, rows: pd.DataFrame, budget: int) -> Examples:
    """The shards with a memory budget."""
    table = pd.read_parquet(folder / "rows.parquet")
    codes = Codes(ShardReader(sorted(folder.glob("*.h5")), table), budget)
    return Examples(codes, rows, rows["decile"].to_numpy(int)[:, None] - 1, ("crime",))


def joined(given: Examples) -> Examples:
    """The same rows with eleven outcomes."""
    return Examples(
        given.codes,
        given.rows,
        np.repeat(given.classes, OUTCOMES, axis=1),
        tuple(f"outcome_{n}" for n in range(OUTCOMES)),
    )


def write_shards(folder: Path, n: int) -> pd.DataFrame:
    """Shards in float16 and the rows with area and decile."""
    rng = np.random.default_rng(0)
    tables = []
    for number, start in enumerate(range(0, n, SHARD_ROWS)):
        size = min(SHARD_ROWS, n - start)
        codes = rng.standard_normal((size, 4, WIDTH), np.float32) * 8.17 - 5.24
        ids = [f"l{i:06d}" for i in range(start, start + size)]
        with h5py.File(folder / f"shard_{number:03d}.h5", "w") as file:
            file["features"] = codes.astype(np.float16)
            file["location_id"] = np.array(ids, dtype=object)
        tables.append(pd.DataFrame({"shard": number, "row": range(size), "location_id": ids}))
    pd.concat(tables, ignore_index=True).to_parquet(folder / "rows.parquet", index=False)
    area = rng.permutation(np.arange(n) // PER_AREA)
    return pd.DataFrame(
        {
            "row": np.arange(n),
            "location_id": [f"l{i:06d}" for i in range(n)],
            "area": [f"E01{a:06d}" for a in area],
            "decile": (area % 10 + 1).astype(float),
        }
    )


def matrix_product_limit() -> float:
    """Locations per second if training were nothing but matrix products at full speed."""
    import tensorflow as tf

    size = 2048
    a, b = tf.random.normal((size, size)), tf.random.normal((size, size))
    tf.matmul(a, b).numpy()
    started = time.perf_counter()
    for _ in range(4):
        tf.matmul(a, b).numpy()
    return 4 * 2 * size**3 / (time.perf_counter() - started) / FLOP_PER_LOCATION


def resident_mb() -> float:
    """Resident memory of this process now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def at_least(what: str, value: float, bound: float) -> tuple:
    """A row of the table."""
    return what, f"{value:.2f}", f">= {bound:g}", value >= bound


def at_most(what: str, value: float, bound: float) -> tuple:
    """A row of the table."""
    return what, f"{value:.3f}", f"<= {bound:g}", value <= bound


if __name__ == "__main__":
    sys.exit(main())
