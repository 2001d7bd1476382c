"""A study in which everything up to the trained networks is published, with simulated content.

City alpha has 60 areas, beta 12; mean income has no labels, since its official file is absent. What
is written follows the schemas of the steps before, so that the steps after run without TensorFlow.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from streetineq_assets.findings import Findings, Unavailable
from streetineq_assets.geography import area_centroids
from streetineq_assets.models.folds import FoldTable
from streetineq_assets.models.tables import HISTORY, SCORES
from streetineq_assets.store import DataStore
from streetineq_assets.study import Pair
from streetineq_assets.tables import conform
from streetineq_tests import studies
from streetineq_tests.harness import publish
from streetineq_tests.predictions import simulated
from streetineq_tests.studies import WITHOUT_INCOME

OF_PAIRS = ["location_predictions", "lsoa_predictions", "lsoa_evaluation"]
PAIRS = ("alpha/crime", "alpha/mean_income", "beta/crime")
NO_BUFFERS = pd.DataFrame({"fold": pd.Series(dtype="int64"), "area": pd.Series(dtype="str")})


def write(root: Path) -> DataStore:
    """The study file and every artefact up to `trained_model` and `baseline_scores`."""
    store = studies.new_study(root, studies.SIMULATED)
    cities = {city: _scored(city, n) for city, n in studies.N_LSOAS.items()}
    everything = pd.concat(cities.values(), ignore_index=True)
    publish(store, "postcode_lsoa", None, postcode_lsoa=_postcodes(everything))
    labels = studies.crime_labels(everything.drop_duplicates("area"))
    availability = _availability()
    publish(store, "lsoa_labels", None, lsoa_labels=labels, availability=availability)
    for city, scored in cities.items():
        publish(store, "locations", city, locations=_listed(scored))
        studies.publish_folds(store, city, _folds(scored), area_centroids(_postcodes(scored)))
        publish_trained(store, Pair(city, "crime"), scored)
    publish_trained(store, Pair("alpha", "mean_income"), cities["alpha"], WITHOUT_INCOME)
    return store


def publish_trained(
    store: DataStore,
    pair: Pair,
    scored: pd.DataFrame,
    unavailable: Unavailable | None = None,
    *,
    scheme: str = "area",
    change: Callable[[pd.DataFrame], pd.DataFrame] = lambda scores: scores,
) -> None:
    """Publish `trained_model` and `baseline_scores` of a pair; without rows when unavailable.

    Args:
        scored: `LOCATION_PREDICTIONS`.
        change: makes the published scores of the true ones.
    """
    scores = change(conform(scored, SCORES))
    baselines = simulated.baselines(scored.drop_duplicates("area"))
    history = pd.DataFrame(
        [(f, e, 2.3 / e, 2.4 / e, 2 / e, 1e-3, 0.1, 0.0) for f in range(5) for e in range(1, 5)],
        columns=HISTORY.names,
    )
    if unavailable:
        scores, baselines, history = scores.head(0), baselines.head(0), history.head(0)
    n_lsoas = scored["area"].nunique()
    record = studies.training_record(
        pair.city, n_locations=len(scored), n_lsoas=n_lsoas, scheme=scheme
    )
    findings = Findings(unavailable=unavailable, record=None if unavailable else record)
    publish(store, "trained_model", pair.key, findings, scores=scores, history=history)
    findings = Findings(unavailable=unavailable)
    publish(store, "baseline_scores", pair.key, findings, baseline_scores=baselines)


def expected_scores(store: DataStore, pair: Pair) -> pd.Series:
    """Plain means of the published scores by area, for comparison; weights come from locations."""
    scores = store.open("trained_model", pair.key).table("scores.parquet")
    merged = scores.merge(store.open("locations", pair.city).table(), on="location_id")
    weight = np.where(merged.groupby("area")["weight"].transform("sum") > 0, merged["weight"], 1.0)
    total = pd.Series(weight * merged["h"]).groupby(merged["area"]).sum()
    return total / pd.Series(weight).groupby(merged["area"]).sum()


def _scored(city: str, areas: int) -> pd.DataFrame:
    frame = simulated.locations(areas=areas, per_area=studies.PER_LSOA, seed=len(city))
    prefix = "E01" if city == "alpha" else "E02"
    return frame.assign(
        city=city,
        area=prefix + frame["area"].str[3:],
        location_id=city[0] + frame["location_id"],
    )


def _listed(scored: pd.DataFrame) -> pd.DataFrame:
    """The city's listed locations: the predicted ones and one of an unknown postcode."""
    number = scored.groupby("area").ngroup().to_numpy()
    matched = scored[["location_id", "area", "weight"]].assign(**studies.on_a_grid(number))
    return studies.with_one_lost(matched)


def _postcodes(scored: pd.DataFrame) -> pd.DataFrame:
    parts = [_listed(part).assign(city=city) for city, part in scored.groupby("city")]
    table = pd.concat(parts).query("status == 'matched'")
    return table.assign(postcode=table["location_id"])[["postcode", "city", "area", "lat", "lon"]]


def _availability() -> pd.DataFrame:
    rows = [
        ("alpha", "crime", "available", None, None),
        ("alpha", "mean_income", "unavailable", WITHOUT_INCOME.wanted, WITHOUT_INCOME.reason),
        ("beta", "crime", "available", None, None),
    ]
    return pd.DataFrame(rows, columns=["city", "outcome", "status", "wanted", "reason"])


def _folds(scored: pd.DataFrame) -> FoldTable:
    areas = scored.drop_duplicates("area")[["area", "fold"]]
    return FoldTable(areas.astype({"fold": "int64"}).assign(scheme="area"), NO_BUFFERS)
