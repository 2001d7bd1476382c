"""A study with a source, `alpha`, that has networks for crime, and targets with codes and labels.

The source's networks have random weights: what is asked here is what tuning makes of networks.
"""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from streetineq_assets import tables
from streetineq_assets.devices import Device
from streetineq_assets.findings import Findings
from streetineq_assets.geography import area_centroids
from streetineq_assets.manifests import Recipe
from streetineq_assets.models.folds import make_folds
from streetineq_assets.models.network import build_network, set_standardisation
from streetineq_assets.models.pair_training import TAUGHT_FILE
from streetineq_assets.models.tables import TAUGHT_AREAS
from streetineq_assets.profiles import PROFILES
from streetineq_assets.store import Artefact, DataStore
from streetineq_assets.study import Study, load_study
from streetineq_tests import harness, studies

K = 3
STUDY = (
    studies.WITH_CODES.replace("k = 5", f"k = {K}")
    + """
[cities.beta]
title = "Beta"
authorities = ["E09000003"]
buckets = 1
outcomes = ["crime", "education"]

[transfer]
source = "alpha"
shares = [0.0, 0.02, 0.5, 1.0]
repeats = 2
"""
)
PROFILE = PROFILES["recommended"].model_copy(
    update={
        "epochs": 2,
        "batch_size": 32,
        "learning_rate": 0.1,
        "weight_decay": 0.0,
        "dropout": 0.0,
        "fewest_validation_areas": 0,
    }
)


@pytest.fixture(scope="package")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DataStore]:
    """Alpha's networks, and the folds of alpha and beta."""
    store = studies.write_with_codes(tmp_path_factory.mktemp("study"), toml=STUDY, beta=True)
    for city in ("alpha", "beta"):
        _publish_folds(store, city)
    _publish_networks(store)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Device, "jit_training", False)
        yield store


@pytest.fixture(scope="package")
def study(store: DataStore) -> Study:
    return load_study(store.study_file)


@pytest.fixture(scope="package")
def tuning_run(store: DataStore) -> dg.ExecuteInProcessResult:
    """The run that made `fine_tuned_model` of beta/crime."""
    return harness.run(store, "fine_tuned_model", "beta/crime")


@pytest.fixture(scope="package")
def tuned(store: DataStore, tuning_run: dg.ExecuteInProcessResult) -> Artefact:
    """`fine_tuned_model` of beta/crime."""
    assert tuning_run.success
    return store.open("fine_tuned_model", "beta/crime")


def _publish_folds(store: DataStore, city: str) -> None:
    study = load_study(store.study_file)
    labels = store.open("lsoa_labels").table()
    mine = labels[(labels["city"] == city) & (labels["outcome"] == "crime")]
    postcodes = store.open("postcode_lsoa").table()
    centroids = area_centroids(postcodes[postcodes["city"] == city])
    areas = mine[["area", "decile"]].reset_index(drop=True)
    studies.publish_folds(store, city, make_folds(areas, study.folds, seed=study.seed), centroids)


def _publish_networks(store: DataStore) -> None:
    """`trained_model` of alpha/crime: a network per fold, each with weights of its own."""
    labels = store.open("lsoa_labels").table().query("city == 'alpha' and outcome == 'crime'")
    codes, _ = studies.codes_of("alpha")
    record = studies.training_record("alpha", n_locations=len(codes), n_lsoas=50, n_folds=K)

    def write(folder: Path) -> Findings:
        for fold in range(K):
            network = build_network(PROFILE, studies.WIDTH, seed=fold)
            set_standardisation(network, codes.mean(axis=(0, 1)), codes.std(axis=(0, 1)))
            network.save(folder / f"fold_{fold}.keras")
        tables.write(labels, TAUGHT_AREAS, folder / TAUGHT_FILE)
        return Findings(record=record)

    recipe = Recipe(code_version="test", config={"profile": PROFILE.model_dump(), "seed": 7})
    store.publish("trained_model", "alpha/crime", recipe, write)
