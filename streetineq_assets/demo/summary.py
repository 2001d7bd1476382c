"""What the demo prints at its end: where every location went, and how good the networks are."""

from collections.abc import Iterator
from itertools import groupby

from streetineq_assets.demo.real_weights import in_words
from streetineq_assets.predictions.evaluation import MAP_KNN, MIN_AREAS, NETWORK
from streetineq_assets.reports.comparison import Cell, Column, row
from streetineq_assets.reports.report import REPORT_FILE
from streetineq_assets.reports.results import CityResults, PairResults, read_results
from streetineq_assets.reports.view_sql import WAREHOUSE_FILE
from streetineq_assets.store import DataStore
from streetineq_assets.study import Study, load_study

METRIC = "spearman_score"
TITLES = {NETWORK: "network", MAP_KNN: "nearest areas (map)", "ridge": "ridge on codes"}


def summary_lines(store: DataStore) -> Iterator[str]:
    """The summary of a study whose report is published.

    Raises:
        StoreError: something is not published, or does not match its manifest.
    """
    study = load_study(store.study_file)
    results = read_results(store, study)
    schemes = ", ".join(sorted({each.scheme for each in results.pairs} - {""}))
    yield ""
    for city in results.cities:
        yield from _account(city)
    yield ""
    yield f"Spearman's rho of an LSOA's score and its actual decile, out of fold ({schemes} folds),"
    yield f"with 95 % interval. {_what_is_synthetic(study)}"
    yield f"{'':<36}{'LSOAs':>6}" + "".join(f"{title:>24}" for title in TITLES.values())
    for each in results.pairs:
        cells = row(each, METRIC, [Column(model, each.scheme) for model in TITLES])
        metrics = "".join(map(_cell, cells))
        yield f"{each.pair.key:<36}{len(each.areas):>6}{metrics}{_notice(each)}"
    yield ""
    yield f"report     {store.open('inequality_report').file(REPORT_FILE)}"
    yield f"pack       {store.open('evidence_pack').folder}"
    yield f"warehouse  {store.open('warehouse').file(WAREHOUSE_FILE)}"


def _what_is_synthetic(study: Study) -> str:
    named = in_words(study.encoder)
    if named is None:
        return "Cities and weights are SYNTHETIC: it shows that the chain works."
    return f"Cities are SYNTHETIC, weights real ({named}): it shows that the chain works."


def _account(city: CityResults) -> Iterator[str]:
    """One line per step, such as `images: listed 100, extracted 96, truncated 1`."""
    for step, rows in groupby(city.account, key=lambda entry: entry["step"]):
        counts = ", ".join(f"{entry['what']} {entry['count']}" for entry in rows)
        yield f"{city.key}, {step}: {counts}"


def _cell(cell: Cell) -> str:
    interval = f" ({cell.interval})" if cell.interval else ""
    return f"{cell.text + interval:>24}"


def _notice(results: PairResults) -> str:
    few = "  too few areas" if len(results.areas) < MIN_AREAS else ""
    return few + ("  of an earlier state" if results.disagreements else "")
