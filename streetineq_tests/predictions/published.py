"""A study in which everything up to the trained networks is published, with simulated content.

City alpha has 60 areas, beta 12; mean income has no labels, since its official file is absent. What
is written follows the schemas of the steps before, so that the steps after run without TensorFlow.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from streetineq_assets.codes.identity import EncoderIdentity
from streetineq_assets.findings import Findings, Unavailable
from streetineq_assets.geography import area_centroids
from streetineq_assets.models.folds import FoldTable
from streetineq_assets.models.tables import HISTORY, SCORES, TrainingRecord
from streetineq_assets.store import DataStore
from streetineq_assets.study import Pair
from streetineq_assets.tables import conform, descriptions
from streetineq_tests.harness import publish
from streetineq_tests.models import published as models
from streetineq_tests.predictions import simulated

STUDY = """
title = "Two towns"
date = 2017-08-01
seed = 7
synthetic = true

[encoder]
weights = "random"

[cities.alpha]
title = "Alpha"
authorities = ["E09000101"]
buckets = 2
outcomes = ["crime", "mean_income"]

[cities.beta]
title = "Beta"
authorities = ["E08000101"]
buckets = 1
outcomes = ["crime"]
"""
AREAS = {"alpha": 60, "beta": 12}
OF_PAIRS = ["location_predictions", "lsoa_predictions", "lsoa_evaluation"]
PAIRS = ("alpha/crime", "alpha/mean_income", "beta/crime")
NO_BUFFERS = pd.DataFrame({"fold": pd.Series(dtype="int64"), "lsoa11": pd.Series(dtype="str")})
WANTED = "GLA household income estimates"
UNAVAILABLE = Unavailable(WANTED, "no file in inputs/household_income holds it")
ENCODER = EncoderIdentity(**models.ENCODER, width=models.WIDTH)


def write_study(root: Path) -> DataStore:
    """The study file and every artefact up to `trained_model` and `baseline_scores`."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "study.toml").write_text(STUDY, encoding="utf-8")
    store = DataStore(root)
    cities = {city: _scored(city, n) for city, n in AREAS.items()}
    everything = pd.concat(cities.values(), ignore_index=True)
    publish(store, "postcode_lsoa", None, postcode_lsoa=_postcodes(everything))
    labels, availability = _labels(everything), _availability()
    publish(store, "lsoa_labels", None, lsoa_labels=labels, availability=availability)
    for city, scored in cities.items():
        publish(store, "locations", city, locations=_listed(scored))
        publish_folds(store, city, _folds(scored), area_centroids(_postcodes(scored)))
        publish_trained(store, Pair(city, "crime"), scored)
    publish_trained(store, Pair("alpha", "mean_income"), cities["alpha"], UNAVAILABLE)
    return store


def publish_folds(
    store: DataStore, city: str, table: FoldTable, centroids: pd.DataFrame | None = None
) -> None:
    """Publish a city's folds, with the centroids that stand unless others are given."""
    if centroids is None:
        centroids = store.open("area_folds", city).table("centroids.parquet")
    parts = {"area_folds": table.areas, "buffers": table.buffers, "centroids": centroids}
    if table.locations is not None:
        parts["location_folds"] = table.locations
    publish(store, "area_folds", city, **parts)


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
    baselines = simulated.baselines(scored.drop_duplicates("lsoa11"))
    history = pd.DataFrame(
        [(f, e, 2.3 / e, 2.4 / e, 2 / e, 1e-3, 0.1, 0.0) for f in range(5) for e in range(1, 5)],
        columns=HISTORY.names,
    )
    if unavailable:
        scores, baselines, history = scores.head(0), baselines.head(0), history.head(0)
    record = TrainingRecord(
        profile_name="recommended",
        scheme=scheme,
        trained_on=(pair.city,),
        encoder=ENCODER,
        n_folds=5,
        n_locations_trained_on=len(scored),
        n_lsoas_trained_on=scored["lsoa11"].nunique(),
    )
    findings = Findings(unavailable=unavailable, record=None if unavailable else record)
    publish(store, "trained_model", pair.key, findings, scores=scores, history=history)
    findings = Findings(unavailable=unavailable)
    publish(store, "baseline_scores", pair.key, findings, baseline_scores=baselines)


def assert_schema(file: Path, expected: pa.Schema) -> None:
    """A Parquet file has the columns, types and descriptions of a schema."""
    found = pq.read_schema(file)
    assert [(field.name, field.type, field.nullable) for field in found] == [
        (field.name, field.type, field.nullable) for field in expected
    ]
    assert descriptions(found) == descriptions(expected)
    assert all(descriptions(expected).values())


def expected_scores(store: DataStore, pair: Pair) -> pd.Series:
    """Plain means of the published scores by area, for comparison; weights come from locations."""
    scores = store.open("trained_model", pair.key).table("scores.parquet")
    merged = scores.merge(store.open("locations", pair.city).table(), on="location_id")
    weight = np.where(
        merged.groupby("lsoa11")["weight"].transform("sum") > 0, merged["weight"], 1.0
    )
    total = pd.Series(weight * merged["h"]).groupby(merged["lsoa11"]).sum()
    return total / pd.Series(weight).groupby(merged["lsoa11"]).sum()


def _scored(city: str, areas: int) -> pd.DataFrame:
    frame = simulated.locations(areas=areas, per_area=3, seed=len(city))
    prefix = "E01" if city == "alpha" else "E02"
    return frame.assign(
        city=city,
        lsoa11=prefix + frame["lsoa11"].str[3:],
        location_id=city[0] + frame["location_id"],
    )


def _listed(scored: pd.DataFrame) -> pd.DataFrame:
    """The city's listed locations: the predicted ones and one of an unknown postcode."""
    number = scored.groupby("lsoa11").ngroup().to_numpy()
    matched = scored[["location_id", "lsoa11", "weight"]].assign(
        lat=51.5 + 0.01 * (number // 8), lon=-0.1 + 0.015 * (number % 8), status="matched"
    )
    lost = {"location_id": "lost", "status": "rejected", "reason": "unknown_postcode", "weight": 0}
    return pd.concat([matched, pd.DataFrame([lost])], ignore_index=True)


def _postcodes(scored: pd.DataFrame) -> pd.DataFrame:
    parts = [_listed(part).assign(city=city) for city, part in scored.groupby("city")]
    table = pd.concat(parts).query("status == 'matched'")
    return table.assign(postcode=table["location_id"])[["postcode", "city", "lsoa11", "lat", "lon"]]


def _labels(scored: pd.DataFrame) -> pd.DataFrame:
    areas = scored.drop_duplicates("lsoa11")
    return pd.DataFrame(
        {
            "city": areas["city"],
            "outcome": "crime",
            "lsoa11": areas["lsoa11"],
            "value": areas["actual_decile"].astype(float),
            "decile": areas["actual_decile"],
        }
    )


def _availability() -> pd.DataFrame:
    rows = [
        ("alpha", "crime", "available", None, None),
        ("alpha", "mean_income", "unavailable", UNAVAILABLE.wanted, UNAVAILABLE.reason),
        ("beta", "crime", "available", None, None),
    ]
    return pd.DataFrame(rows, columns=["city", "outcome", "status", "wanted", "reason"])


def _folds(scored: pd.DataFrame) -> FoldTable:
    areas = scored.drop_duplicates("lsoa11")[["lsoa11", "fold"]]
    return FoldTable(areas.astype({"fold": "int64"}).assign(scheme="area"), NO_BUFFERS)
