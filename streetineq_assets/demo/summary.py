"""What the demo prints at its end: where every location went, how good the networks are.

What belongs here: lines of text from published figures. What does not: calculating any of them.
"""

from collections.abc import Iterator
from itertools import groupby

from streetineq_assets.predictions.evaluation import MIN_AREAS
from streetineq_assets.reports.comparison import Cell, Column, row
from streetineq_assets.reports.results import CityEvidence, PairEvidence, gather
from streetineq_assets.store import DataStore
from streetineq_assets.study import load_study

METRIC = "spearman_score"
MODELS = ("network", "coordinates", "ridge")
TITLES = ("network", "coordinates only", "ridge on codes")


def summary_lines(store: DataStore) -> Iterator[str]:
    """The summary of a study whose report is published.

    Raises:
        StoreError: something is not published, or does not match its manifest.
    """
    study = load_study(store.study_file)
    evidence = gather(store, study)
    yield ""
    for city in evidence.cities:
        yield from _account(city)
    scheme = study.folds.scheme
    yield ""
    yield f"Spearman's rho of an LSOA's score and its actual decile, out of fold ({scheme} folds),"
    yield "with 95 % interval. Cities and weights are SYNTHETIC: it shows that the chain works."
    yield f"{'':<36}{'LSOAs':>6}" + "".join(f"{title:>24}" for title in TITLES)
    for pair in evidence.pairs:
        cells = row(pair, METRIC, [Column(model, scheme) for model in MODELS], scheme)
        yield f"{pair.key:<36}{len(pair.areas):>6}" + "".join(map(_cell, cells)) + _notice(pair)
    yield ""
    yield f"report     {store.open('inequality_report').file('report.html')}"
    yield f"warehouse  {store.open('warehouse').file('streetineq.duckdb')}"


def _account(city: CityEvidence) -> Iterator[str]:
    """One line per step, such as `images: listed 100, extracted 96, truncated 1`."""
    for step, rows in groupby(city.account, key=lambda entry: entry["step"]):
        counts = ", ".join(f"{entry['what']} {entry['count']}" for entry in rows)
        yield f"{city.key}, {step}: {counts}"


def _cell(cell: Cell) -> str:
    interval = f" ({cell.interval})" if cell.interval else ""
    return f"{cell.text + interval:>24}"


def _notice(pair: PairEvidence) -> str:
    return "  too few areas" if len(pair.areas) < MIN_AREAS else ""
