"""Small cities of which all is published up to the networks' scores, and the steps after them.

Areas lie on a grid of 500 m, five to an MSOA and half of them in each of two local authorities;
deciles rise from west to east with noise, and scores follow them. Scores are published as those of
networks that were trained on what stands, so that every later step is run by its own asset, without
TensorFlow. A test spoils a city before it is written.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from streetineq_assets.codes.tables import IMAGE_REPEATS
from streetineq_assets.evidence.tables import SCHEME_SCORES, SchemeRecord
from streetineq_assets.findings import Findings
from streetineq_assets.images.tables import LOCATIONS
from streetineq_assets.labels.deciles import deciles
from streetineq_assets.manifests import Recipe
from streetineq_assets.models import binomial
from streetineq_assets.models.folds import FoldTable
from streetineq_assets.models.pair_training import plan_pair
from streetineq_assets.models.tables import HISTORY, PROBABILITIES, SCORES, SEED_SCORES
from streetineq_assets.models.training_plan import resolve_profile
from streetineq_assets.predictions.joint_evaluation import JOINT_NETWORK
from streetineq_assets.store import DataStore
from streetineq_assets.study import Pair, load_study
from streetineq_assets.tables import conform, empty
from streetineq_tests import harness, studies

WIDTH = 8
_TOML = """
title = "Downstream"
date = 2017-08-01
seed = 7
synthetic = true

[folds]
scheme = "{scheme}"
k = 4
block_km = 2.0
buffer_km = 0.1

[evidence]
schemes = ["area", "spatial_block"]
"""


class City(NamedTuple):
    """A city before it is published.

    Attributes:
        areas: `area, lat, lon, value, decile, msoa, authority`.
        locations: `location_id, area, msoa, lat, lon, h`, of which `h` is the network's score.
    """

    areas: pd.DataFrame
    locations: pd.DataFrame


def city(n_areas: int = 60, *, per_area: int = 3, first: int = 0) -> City:
    """A city without faults; `first` is the number of its first area."""
    rng, number = np.random.default_rng(first), np.arange(n_areas)
    x, y = number % 8, number // 8
    lat, lon = studies.degrees(530_000 + 500.0 * (x + 10 * first), 180_000 + 500.0 * y)
    value = x + rng.normal(0, 2, n_areas)
    areas = pd.DataFrame(
        {
            "area": [f"E01{first + each:06d}" for each in number],
            "lat": lat,
            "lon": lon,
            "value": value,
            "decile": deciles(value, worst="low"),
            "msoa": [f"E02{first + each // 5:06d}" for each in number],
            "authority": [f"E0900000{1 + each // 4}" for each in x],
        }
    )
    at = areas.loc[areas.index.repeat(per_area)].reset_index(drop=True)
    share = (at["decile"].astype(float) - 0.5) / 10
    h = np.log(share / (1 - share)) + rng.normal(0, 1, len(at))
    ids = [f"{code}_{each % per_area}" for each, code in enumerate(at["area"])]
    return City(areas, at[["area", "msoa", "lat", "lon"]].assign(location_id=ids, h=h))


def with_areas(**changed: object) -> City:
    """A city of 60 areas in which a column is another."""
    areas, locations = city()
    both = {name: value for name, value in changed.items() if name in locations}
    return City(areas.assign(**changed), locations.assign(**both))


def write(root: Path, cities: Mapping[str, City], *, scheme: str = "area") -> DataStore:
    """The study with one outcome, everything up to its codes, and its folds."""
    toml = _TOML.format(scheme=scheme)
    for n, name in enumerate(cities):
        codes = f'["E0900000{2 * n + 1}", "E0900000{2 * n + 2}"]'
        toml += f'\n[cities.{name}]\ntitle = "{name.title()}"\nauthorities = {codes}\n'
        toml += 'outcomes = ["crime"]\n'
    store = studies.new_study(root, toml)
    publish_labels(store, cities)
    postcodes = [each.areas.assign(city=name) for name, each in cities.items()]
    places = pd.concat(postcodes)[["city", "area", "msoa", "authority", "lat", "lon"]]
    places = places.assign(postcode=[f"P {n}" for n in range(len(places))])
    harness.publish(store, "postcode_lsoa", None, postcode_lsoa=places)
    for name, each in cities.items():
        _publish_codes(store, name, each.locations)
    for name in cities:
        harness.run(store, "area_folds", name)
    return store


def publish_labels(store: DataStore, cities: Mapping[str, City]) -> None:
    """The official deciles as they are in the cities."""
    columns = ["city", "outcome", "area", "value", "decile"]
    parts = [each.areas.assign(city=name, outcome="crime") for name, each in cities.items()]
    available = pd.DataFrame({"city": list(cities), "outcome": "crime", "status": "available"})
    harness.publish(
        store,
        "lsoa_labels",
        None,
        lsoa_labels=pd.concat(parts)[columns],
        availability=available.assign(wanted=None, reason=None),
    )


def publish_scores(
    store: DataStore,
    name: str,
    locations: pd.DataFrame,
    seeds: Callable[[pd.DataFrame], pd.DataFrame] | None = None,
) -> None:
    """`trained_model` of a city: its scores, as of networks trained on what stands.

    Args:
        seeds: makes the scores of a further seed of the first's.
    """
    pair, study = Pair(name, "crime"), load_study(store.study_file)
    plan = plan_pair(store, study, pair, resolve_profile(study))
    scores = network_scores(store, name, locations)
    n_lsoas = locations["area"].nunique()
    record = studies.training_record(
        name, n_locations=len(scores), n_lsoas=n_lsoas, trained_on=plan.trained_on,
        scheme=study.folds.scheme,
    )  # fmt: skip
    further = empty(SEED_SCORES) if seeds is None else seeds(scores).assign(seed=1)
    recipe = Recipe(code_version="test", inputs=plan.inputs, config=plan.config)
    harness.publish(
        store, "trained_model", pair.key, Findings(record=record), recipe,
        scores=scores, seed_scores=further, history=empty(HISTORY),
    )  # fmt: skip


def network_scores(store: DataStore, name: str, locations: pd.DataFrame) -> pd.DataFrame:
    """`SCORES` of a city's locations, each in the fold that tests it."""
    folds = FoldTable.load(store.open("area_folds", name))
    assert folds is not None
    h = locations["h"].to_numpy(np.float32)
    p = np.exp(binomial.log_probabilities(np.nan_to_num(h)))
    p[np.isnan(h)] = np.nan
    named = dict(zip(PROBABILITIES, p.T, strict=True))
    return conform(locations.assign(fold=folds.fold_of(locations), **named), SCORES)


def publish_schemes(store: DataStore, name: str, locations: pd.DataFrame) -> None:
    """`scheme_scores` of areas and of spatial blocks, with the pair's baselines and scores."""
    baselines = store.open("baseline_scores", f"{name}/crime").table()
    score = locations.groupby("area", as_index=False)["h"].mean()
    folds = store.open("area_folds", name)
    labels = store.manifest("trained_model", f"{name}/crime").recipe.inputs[f"{name}/labels"]
    for scheme, stem in (("area", ""), ("spatial_block", "spatial_")):
        own = baselines[baselines["scheme"] == scheme]
        tables = {each: folds.table(f"{stem}{each}.parquet") for each in ("area_folds", "buffers")}
        network = score.rename(columns={"h": "score"}).merge(tables["area_folds"], on="area")
        both = [own.rename(columns={"baseline": "model"}), network.assign(model=JOINT_NETWORK)]
        scores = pd.concat(both).assign(city=name, outcome="crime", seed=0, scheme=scheme)
        findings = Findings(record=SchemeRecord(outcomes=("crime",), n_seeds=1))
        recipe = Recipe(code_version="test", inputs={f"{name}/labels": labels})
        tables |= {"scheme_scores": conform(scores, SCHEME_SCORES)}
        harness.publish(store, "scheme_scores", f"{name}/{scheme}", findings, recipe, **tables)


def _publish_codes(store: DataStore, name: str, locations: pd.DataFrame) -> None:
    """Listed locations with images of one day, and codes that say a little."""
    listed = locations.assign(
        weight=1, status="matched", reason=None, postcodes="P", n_postcodes=1, oa=None,
        captured_at=pd.Timestamp("2012-06-01"), provider="mapillary", licence="CC BY-SA 4.0",
        creator=None, placed_by="postcode",
    )  # fmt: skip
    harness.publish(store, "locations", name, locations=conform(listed, LOCATIONS))
    rng = np.random.default_rng(1)
    codes = rng.normal(size=(len(locations), 4, WIDTH))
    codes += 0.3 * locations["h"].fillna(0).to_numpy()[:, None, None]
    ids = locations["location_id"].tolist()
    studies.publish_shards(store, name, codes.astype(np.float32), ids, width=WIDTH)
    harness.publish(store, "image_repeats", name, image_repeats=empty(IMAGE_REPEATS))
