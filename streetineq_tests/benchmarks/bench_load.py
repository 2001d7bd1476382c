"""A study of many cities, and one of London's size: how long who uses them waits.

    uv run python -m streetineq_tests.benchmarks.bench_load [--cities 12] [--backfill 1008]

12 cities with 1,008 buckets and 150 pairs, and London with 131,000 locations and 13 outcomes, both
as after a finished run (`loaded_study`). Timed are: a fresh process up to the definitions; ticks of
the sensor `keep_up_to_date`, when nothing and when one image changed; the lineage in a browser; and
a back-fill of buckets in which nothing changed. Needs `chromium`. Exits with 1 when a bound is
missed.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from streetineq_assets.definitions import build_definitions
from streetineq_assets.store import DataStore
from streetineq_assets.study import bucket_keys, load_study
from streetineq_tests.benchmarks.apart import folder
from streetineq_tests.benchmarks.loaded_study import Size, write_finished_study
from streetineq_tests.conftest import launched_chromium
from streetineq_tests.served import LAUNCH_BACKFILL, STATUS_OF_BACKFILL, ask, served, wait_for

WAIT_S = 5.0
PER_BUCKET_S = 0.5
BACKFILL_LIMIT_S = 2 * 3600
LONDON = {"london": Size(locations=131_000, areas=4835, buckets=128, outcomes=13)}
Row = tuple[str, float, float]


def main() -> int:
    """Write both studies, time everything, print a table."""
    options = argparse.ArgumentParser()
    options.add_argument("--cities", type=int, default=12)
    options.add_argument("--backfill", type=int, default=10_000, help="buckets at most")
    options.add_argument("--without-london", action="store_true")
    options.add_argument("--keep", type=Path, help="a folder for the studies, to use them again")
    given = options.parse_args()
    rows: list[Row] = []
    with folder(given.keep) as place:
        store = _study(place / "cities", many_cities(given.cities))
        rows += served_rows(store, given.backfill)
        rows += ticks("many cities", store)
        if not given.without_london:
            rows += ticks("London", _study(place / "london", LONDON))
    print(f"\n{'what':<52}{'seconds':>9}{'at most':>9}   load {os.getloadavg()[0]:.1f}")
    for what, seconds, bound in rows:
        print(f"{what:<52}{seconds:>9.2f}{bound:>9g}  {'ok' if seconds <= bound else 'MISSED'}")
    return 0 if all(seconds <= bound for _, seconds, bound in rows) else 1


def many_cities(n: int) -> dict[str, Size]:
    """Cities of 84 buckets; half of them with 13 outcomes, half with 12."""
    return {f"city_{i:02d}": Size(1_000, 200, 84, 12 + i % 2) for i in range(n)}


def ticks(name: str, store: DataStore) -> list[Row]:
    """What a fresh process needs up to the definitions, and for each tick."""
    command = [sys.executable, "-m", "streetineq_tests.benchmarks.ticks", str(store.root)]
    # Of this module's own choice.
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    seconds = json.loads(done.stdout.splitlines()[-1])
    definitions = seconds["import"] + seconds["build"]
    rows = [
        (f"{name}: definitions in a fresh process", definitions, WAIT_S),
        (f"{name}:   of it imports", seconds.pop("import"), WAIT_S),
        (f"{name}:   of it building", seconds.pop("build"), WAIT_S),
    ]
    return rows + [(f"{name}: {what}", taken, WAIT_S) for what, taken in seconds.items()]


def served_rows(store: DataStore, most: int) -> list[Row]:
    """The lineage in a browser, and a back-fill, on the study as `serve` has it."""
    graph = build_definitions(store.root).resolve_asset_graph()
    groups = {graph.get(key).group_name for key in graph.materializable_asset_keys}
    with served("serve", store.root) as server:
        rows = lineage(server.url, groups)
        return rows + idle_backfill(server.url, store, most)


def lineage(url: str, groups: Iterable[str]) -> list[Row]:
    """From asking for the page until all groups of the lineage are seen: first time and second."""
    rows = []
    with launched_chromium() as browser:
        page = browser.new_page(viewport={"width": 1500, "height": 1000})
        for time_ in ("first", "second"):
            started = time.perf_counter()
            page.goto(f"{url}/asset-groups")
            for group in groups:
                page.get_by_text(group, exact=True).first.wait_for(timeout=120_000)
            seconds = time.perf_counter() - started
            rows.append((f"lineage in a browser, {time_} time", seconds, WAIT_S))
    return rows


def idle_backfill(url: str, store: DataStore, most: int) -> list[Row]:
    """A back-fill of `image_codes` in which nothing changed, by GraphQL as the UI launches it."""
    study = load_study(store.study_file)
    keys = [k for city in study.by_weight for k in bucket_keys(city, study.cities[city].buckets)]
    keys = keys[:most]
    started = time.perf_counter()
    assets = [{"path": ["image_codes"]}]
    launched = ask(url, LAUNCH_BACKFILL, keys=assets, partitions=keys)["launchPartitionBackfill"]
    ended = wait_for(lambda: _ended(url, launched["backfillId"]), BACKFILL_LIMIT_S)
    seconds = time.perf_counter() - started
    assert ended["status"] == "COMPLETED_SUCCESS", ended
    n_runs = len(ended["runs"])
    print(f"{len(keys)} idle buckets: {n_runs} runs, {seconds / len(keys):.3f} s a bucket")
    return [(f"back-fill of {len(keys):,} idle buckets", seconds, PER_BUCKET_S * len(keys))]


def _ended(url: str, backfill: str) -> dict[str, Any] | None:
    found = ask(url, STATUS_OF_BACKFILL, id=backfill)["partitionBackfillOrError"]
    return found if found["status"].startswith(("COMPLETED", "FAILED", "CANCELED")) else None


def _study(root: Path, cities: dict[str, Size]) -> DataStore:
    if root.exists():
        return DataStore(root)
    started = time.perf_counter()
    store = write_finished_study(root, cities)
    print(f"{root.name} written in {time.perf_counter() - started:.0f} s", flush=True)
    return store


if __name__ == "__main__":
    sys.exit(main())
