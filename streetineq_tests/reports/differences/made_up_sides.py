"""Sides of a comparison that are made up: of frames alone, and as packs on disk."""

import json
from pathlib import Path

import pandas as pd

from streetineq_assets import tables
from streetineq_assets.predictions.tables import LSOA_PREDICTIONS
from streetineq_assets.reports.differences.sides import Side
from streetineq_assets.reports.differences.tables import AREAS, METRICS
from streetineq_assets.reports.exports import write_csv
from streetineq_assets.reports.page.render import synthetic_reasons
from streetineq_assets.reports.provenance import (
    CHAIN,
    PairProvenance,
    Provenance,
    Source,
    read_provenance,
)
from streetineq_assets.reports.results import read_results
from streetineq_assets.store import DataStore
from streetineq_assets.study import load_study

CRIME = Source(title="File 7", provides="Crime", edition="2015", sha256="a" * 64)
FLAGS = {"is_published": True, "too_uncertain_to_rank": False}


def areas(*rows: tuple, city: str = "alpha", outcome: str = "crime") -> pd.DataFrame:
    """Areas of one pair: code, decile, and the two ends of the interval; None without one."""
    frame = pd.DataFrame(rows, columns=["area", "decile", "lower", "upper"])
    keys = {"city": city, "outcome": outcome}
    known = {"score": frame["decile"] / 10, "actual_decile": 5} | FLAGS
    return tables.conform(frame.assign(**keys, **known), AREAS)


def metrics(**values: float) -> pd.DataFrame:
    """Quadratic kappa of models of alpha/crime, with an interval of .1 to either side."""
    rows = [
        {"model": model, "value": value, "lower": value - 0.1, "upper": value + 0.1}
        for model, value in values.items()
    ]
    frame = pd.DataFrame(rows, columns=["model", "value", "lower", "upper"])
    keys = {"city": "alpha", "outcome": "crime", "metric": "kappa_quadratic", "scheme": "area"}
    return tables.conform(frame.assign(**keys, n_lsoas=10), METRICS)


def of_pair(**changed: dict[str, str]) -> PairProvenance:
    """A pair whose whole chain is of code 1, with the digest `same`."""
    whole = {
        "settings": {"Profile": "recommended", "Training": json.dumps({"profile": {"rate": 0.1}})},
        "code_versions": dict.fromkeys(CHAIN, "1"),
        "digests": dict.fromkeys(CHAIN, "same"),
    }
    return PairProvenance(**{name: whole[name] | changed.get(name, {}) for name in whole})


def provenance(**changed) -> Provenance:
    known = {
        "title": "Two towns",
        "version": "1.0",
        "synthetic": (),
        "libraries": {"numpy": "2.0"},
        "sources": (CRIME,),
        "pairs": {"alpha/crime": of_pair()},
    }
    return Provenance(**known | changed)


def side(ranked: pd.DataFrame, scored: pd.DataFrame | None = None, **changed) -> Side:
    return Side("pack", provenance(**changed), ranked, metrics() if scored is None else scored)


def write_pack(store: DataStore, folder: Path, suffix: str = ".parquet") -> Path:
    """What a study has published as a pack whose tables are of one kind of file."""
    study = load_study(store.study_file)
    results = read_results(store, study)
    folder.mkdir()
    told = read_provenance(store, study, results, synthetic_reasons(results, study))
    (folder / "provenance.json").write_text(told.model_dump_json(indent=2), encoding="utf-8")
    if suffix == ".csv":
        write_csv(results.areas, folder / "lsoa_predictions.csv")
        write_csv(results.metrics, folder / "metrics.csv")
    else:
        tables.write(results.areas, LSOA_PREDICTIONS, folder / "lsoa_predictions.parquet")
        results.metrics.to_parquet(folder / "metrics.parquet", index=False)
    return folder
