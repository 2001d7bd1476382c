"""A pack of the made-up study, made once, and what packs are made of."""

import dataclasses
from pathlib import Path

import pandas as pd
import pytest

from streetineq_assets import tables
from streetineq_assets.geography import read_boundaries
from streetineq_assets.predictions.tables import COMPARISONS, LSOA_PREDICTIONS
from streetineq_assets.reports import provenance
from streetineq_assets.reports.pack.material import Material
from streetineq_assets.reports.pack.writing import write_pack
from streetineq_assets.reports.page.render import synthetic_reasons
from streetineq_assets.reports.results import StudyResults
from streetineq_assets.store import DataStore
from streetineq_tests import studies
from streetineq_tests.reports.conftest import write_boundaries
from streetineq_tests.reports.page import rendered

REPORT = '<!DOCTYPE html><title>made up</title><h2 id="made">How</h2>'


@pytest.fixture(scope="session")
def material(evaluated_study, study, results, tmp_path_factory) -> Material:
    """Of the made-up study, with boundaries of alpha's areas alone."""
    folder = tmp_path_factory.mktemp("material")
    report = folder / "report.html"
    report.write_text(rendered.report(results, study))
    store = DataStore(evaluated_study)
    reasons = synthetic_reasons(results, study)
    inputs = studies.new_study(folder / "elsewhere", studies.SIMULATED)
    (inputs.root / "assets").symlink_to(store.root / "assets")
    return Material(
        study=study,
        results=results,
        provenance=provenance.read_provenance(store, study, results, reasons),
        boundaries=read_boundaries(write_boundaries(inputs)),
        report=report,
    )


@pytest.fixture(scope="session")
def pack(material, tmp_path_factory) -> Path:
    """The folder of its pack; never written to."""
    folder = tmp_path_factory.mktemp("pack")
    write_pack(material, [], folder)
    return folder


def without_results(material: Material) -> Material:
    """The same study before anything was predicted."""
    pairs = [dataclasses.replace(each, is_evaluated=False) for each in material.results.pairs]
    return with_pairs(material, pairs, absent={each.pair.key: "not made yet" for each in pairs})


def without_networks(material: Material) -> Material:
    """Baselines have metrics, and networks are not there."""
    pairs = [
        dataclasses.replace(
            each,
            metrics=each.metrics[each.metrics["model"] != "network"],
            areas=tables.empty(LSOA_PREDICTIONS),
            comparisons=tables.empty(COMPARISONS),
            training=None,
            made_with={},
        )
        for each in material.results.pairs
    ]
    return with_pairs(material, pairs)


def with_pairs(material: Material, pairs: list, absent: dict[str, str] | None = None) -> Material:
    """The same study with other results of its pairs."""
    results: StudyResults = dataclasses.replace(material.results, pairs=pairs)
    told = material.provenance
    told = told if absent is None else told.model_copy(update={"absent": absent})
    return dataclasses.replace(material, results=results, provenance=told)


def with_areas(material: Material, change) -> Material:
    """The same study with other predictions.

    Args:
        change: takes and returns `LSOA_PREDICTIONS` of a pair.
    """
    pairs = [dataclasses.replace(p, areas=change(p.areas)) for p in material.results.pairs]
    return with_pairs(material, pairs)


def cells(folder: Path, name: str) -> pd.DataFrame:
    """A CSV file as text."""
    return pd.read_csv(folder / name, dtype="str", keep_default_na=False)
