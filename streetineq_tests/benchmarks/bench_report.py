"""The report at the paper's size: how large it is, how long it takes to make and to open.

    uv run python -m streetineq_tests.benchmarks.bench_report [--keep DIR] [--only london]

London with 4,835 areas, 133,000 locations and 13 outcomes, and the paper's four cities with 13
outcomes each, as after a finished run (`reported_study`). `inequality_report` is made in a process
of its own; seconds are from its start to the published artefact, peak memory is that of the
process, imports included. Where Chromium is, the page is opened in it: `load` is the event,
usable is the first time after it that the page has nothing to do and draws. Exits with 1 when
London's report is over a bound.
"""

import argparse
import importlib.util
import os
import shutil
import sys
import time
from pathlib import Path
from typing import NamedTuple

from streetineq_assets.reports.report import REPORT_FILE
from streetineq_assets.store import DataStore
from streetineq_tests.benchmarks.apart import folder, run_step
from streetineq_tests.benchmarks.paper_cities import LONDON, PAPER_CITIES
from streetineq_tests.benchmarks.reported_study import write_reported_study
from streetineq_tests.conftest import launched_chromium

STUDIES = {"london": LONDON, "four_cities": PAPER_CITIES}
BOUNDED = "london"
REPORT_MB, REPORT_S = 10.0, 60.0
_ASSET = "inequality_report"
_USABLE = """() => new Promise(done => requestIdleCallback(
    () => requestAnimationFrame(() => done(performance.now()))))"""


class Row(NamedTuple):
    """What is printed; a bound is of London alone."""

    what: str
    value: float
    bound: float | None = None

    @property
    def is_missed(self) -> bool:
        """Whether it is over its bound."""
        return self.bound is not None and self.value > self.bound


def main() -> int:
    """Write the studies, make and open their reports, print a table."""
    options = argparse.ArgumentParser()
    options.add_argument("--keep", type=Path, help="a folder for the studies, to use them again")
    options.add_argument("--only", choices=STUDIES, help="one of the studies")
    given = options.parse_args()
    rows: list[Row] = []
    with folder(given.keep) as place:
        for name in [given.only] if given.only else STUDIES:
            rows += [row._replace(what=f"{name}: {row.what}") for row in _rows(place / name, name)]
    print(f"\n{'what':<52}{'value':>9}{'at most':>9}   load {os.getloadavg()[0]:.1f}")
    for row in rows:
        bound = "" if row.bound is None else f"{row.bound:g}"
        print(f"{row.what:<52}{row.value:>9.2f}{bound:>9}  {'MISSED' if row.is_missed else ''}")
    return int(any(row.is_missed for row in rows))


def _rows(root: Path, name: str) -> list[Row]:
    store, bounded = _study(root, name), name == BOUNDED
    # One that was made before would be skipped.
    store.manifest_file(_ASSET).unlink(missing_ok=True)
    step = run_step(root, _ASSET)
    artefact = store.open(_ASSET)
    file = artefact.file(REPORT_FILE)
    others = sum(each.bytes for each in artefact.manifest.files.values()) - file.stat().st_size
    print(f"{name}: {file}", flush=True)
    return [
        Row("MB of report.html", file.stat().st_size / 1e6, REPORT_MB if bounded else None),
        Row("MB of the files beside it", others / 1e6),
        Row("seconds to make it", step["seconds"], REPORT_S if bounded else None),
        Row("  of a core, imports included", step["cpu"]),
        Row("peak memory, GB", step["peak"]),
        *opened(file),
    ]


def _study(root: Path, name: str) -> DataStore:
    if (root / "study.toml").exists():
        return DataStore(root)
    started = time.perf_counter()
    store = write_reported_study(root, STUDIES[name])
    print(f"{name} written in {time.perf_counter() - started:.0f} s", flush=True)
    return store


def opened(file: Path) -> list[Row]:
    """The page in a browser; nothing where there is none."""
    if not (importlib.util.find_spec("playwright") and shutil.which("chromium")):
        return []
    with launched_chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.set_default_timeout(300_000)
        page.goto(file.as_uri(), wait_until="load", timeout=300_000)
        usable = page.evaluate(_USABLE)
        timing = page.evaluate("() => performance.getEntriesByType('navigation')[0].loadEventStart")
        elements = page.evaluate("() => document.getElementsByTagName('*').length")
    return [
        Row("seconds in Chromium until load", timing / 1000),
        Row("  until it is usable", usable / 1000),
        Row("  elements, thousands", elements / 1000),
    ]


if __name__ == "__main__":
    sys.exit(main())
