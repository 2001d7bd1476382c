"""A study in which everything up to the trained networks is published, with simulated content.

City alpha has 60 areas, beta 12; mean income has no labels (its official file is absent). What is
written follows the contracts of the steps before, so that the steps after run without TensorFlow.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from streetineq_assets import geography
from streetineq_assets.digests import digest_frame
from streetineq_assets.findings import Findings
from streetineq_assets.manifests import Recipe
from streetineq_assets.store import DataStore
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


def write_study(root: Path) -> DataStore:
    """The study file and every artefact up to `trained_model`."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "study.toml").write_text(STUDY, encoding="utf-8")
    store = DataStore(root)
    cities = {city: _locations(city, n) for city, n in AREAS.items()}
    everything = pd.concat(cities.values(), ignore_index=True)
    publish(store, "postcode_lsoa", None, {"postcode_lsoa": _postcodes(everything)})
    publish(
        store,
        "lsoa_labels",
        None,
        {"lsoa_labels": _labels(everything), "availability": _availability()},
    )
    for city, frame in cities.items():
        publish(store, "locations", city, {"locations": _places(frame)})
        publish(
            store,
            "area_folds",
            city,
            {
                "area_folds": _folds(frame),
                "buffers": NO_BUFFERS,
                "centroids": _centroids(frame, city),
            },
        )
        trained(store, f"{city}/crime", frame)
    trained(store, "alpha/mean_income", cities["alpha"], available=False)
    return store


def publish(
    store: DataStore,
    asset: str,
    partition: str | None,
    frames: dict[str, pd.DataFrame],
    findings: Findings | None = None,
) -> None:
    """Publish tables as an artefact."""

    def write(folder: Path) -> Findings:
        for name, frame in frames.items():
            frame.to_parquet(folder / f"{name}.parquet", index=False)
        return findings or Findings()

    digests = {name: digest_frame(frame) for name, frame in frames.items()}
    store.publish(asset, partition, Recipe(code_version="test", inputs=digests), write)


def trained(
    store: DataStore,
    pair: str,
    locations: pd.DataFrame,
    *,
    available: bool = True,
    change: Callable[[pd.DataFrame], pd.DataFrame] = lambda scores: scores,
) -> None:
    """Publish a trained model's tables; without rows where there are no labels."""
    columns = ["location_id", "fold", "h", *(f"p_{k}" for k in range(1, 11))]
    scores = change(locations[columns].astype({"fold": "int64"}))
    areas = locations.drop_duplicates("lsoa11").astype({"fold": "int64"})
    history = pd.DataFrame(
        [(f, e, 2.3 / e, 2.4 / e, 2 / e, 1e-3, 0.1) for f in range(5) for e in range(1, 5)],
        columns=["fold", "epoch", "loss", "val_loss", "val_mae", "learning_rate", "seconds"],
    )
    frames = {"scores": scores, "baselines": simulated.baselines(areas), "history": history}
    figures: dict = {"status": "available", "profile": "recommended"}
    if not available:
        frames = {name: frame.head(0) for name, frame in frames.items()}
        figures = {"status": "unavailable", "wanted": WANTED, "reason": "no file"}
    publish(store, "trained_model", pair, frames, Findings(values=figures))


def _locations(city: str, areas: int) -> pd.DataFrame:
    frame = simulated.locations(areas=areas, per_area=3, seed=len(city))
    prefix = "E01" if city == "alpha" else "E02"
    return frame.assign(
        city=city,
        lsoa11=prefix + frame["lsoa11"].str[3:],
        location_id=city[0] + frame["location_id"],
    )


def _places(frame: pd.DataFrame) -> pd.DataFrame:
    """The city's listed locations: the predicted ones and one that lies in no known postcode."""
    grid_place = frame.groupby("lsoa11").ngroup().to_numpy()
    places = frame[["location_id", "lsoa11", "weight"]].assign(
        lat=51.5 + 0.01 * (grid_place // 8), lon=-0.1 + 0.015 * (grid_place % 8), status="matched"
    )
    lost = {"location_id": "lost", "status": "rejected", "reason": "unknown_postcode", "weight": 0}
    return pd.concat([places, pd.DataFrame([lost])], ignore_index=True)


def _postcodes(frame: pd.DataFrame) -> pd.DataFrame:
    parts = [_places(part).assign(city=city) for city, part in frame.groupby("city")]
    table = pd.concat(parts).query("status == 'matched'")
    return table.assign(postcode=table["location_id"])[["postcode", "city", "lsoa11", "lat", "lon"]]


def _labels(frame: pd.DataFrame) -> pd.DataFrame:
    areas = frame.drop_duplicates("lsoa11")
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
        ("alpha", "mean_income", "unavailable", WANTED, "no file"),
        ("beta", "crime", "available", None, None),
    ]
    return pd.DataFrame(rows, columns=["city", "outcome", "status", "wanted", "reason"])


def _folds(frame: pd.DataFrame) -> pd.DataFrame:
    areas = frame.drop_duplicates("lsoa11")[["lsoa11", "fold"]]
    return areas.astype({"fold": "int64"}).assign(scheme="area")


def _centroids(frame: pd.DataFrame, city: str) -> pd.DataFrame:
    return geography.area_centroids(_postcodes(frame.assign(city=city)))


def expected_scores(store: DataStore, pair: str) -> pd.DataFrame:
    """Plain means of the published scores by area, for comparison; weights come from locations."""
    scores = store.open("trained_model", pair).table("scores.parquet")
    places = store.open("locations", pair.split("/", 1)[0]).table()
    merged = scores.merge(places, on="location_id")
    weight = np.where(
        merged.groupby("lsoa11")["weight"].transform("sum") > 0, merged["weight"], 1.0
    )
    total = pd.Series(weight * merged["h"]).groupby(merged["lsoa11"]).sum()
    return total / pd.Series(weight).groupby(merged["lsoa11"]).sum()
