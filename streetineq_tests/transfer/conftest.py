"""A study with a source, `alpha`, trained on crime, and targets whose codes carry its signal."""

from collections.abc import Iterator

import pytest

from streetineq_assets.devices import Device
from streetineq_assets.manifests import Recipe
from streetineq_assets.models import city_folds, opening, pair_training
from streetineq_assets.store import Artefact, DataStore
from streetineq_assets.study import Study, load_study
from streetineq_assets.transfer.pair_tuning import ASSET, TransferJob, open_transfer
from streetineq_tests.models import published

STUDY = (
    published.STUDY
    + """
[cities.beta]
title = "Beta"
authorities = ["E09000003"]
buckets = 1
outcomes = ["crime", "education"]

[transfer]
source = "alpha"
fractions = [0.0, 0.02, 0.5, 1.0]
draws = 2
"""
)


@pytest.fixture(scope="package")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DataStore]:
    """Alpha trained on crime, and the folds of alpha and beta."""
    store = published.write_study(tmp_path_factory.mktemp("study"), toml=STUDY, beta=True)
    study = load_study(store.study_file)
    for city in ("alpha", "beta"):
        sources = city_folds.read_sources(store, study, city)
        store.publish(
            "area_folds",
            city,
            Recipe(code_version="1"),
            lambda folder, s=sources: city_folds.write_folds(s, study, folder),
        )
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Device, "jit_training", False)
        make(store, "trained_model", "alpha/crime", opening.open_pair(store, study, "alpha/crime"))
        yield store


@pytest.fixture(scope="package")
def study(store: DataStore) -> Study:
    return load_study(store.study_file)


@pytest.fixture(scope="package")
def tuned(store: DataStore, study: Study) -> Artefact:
    """`fine_tuned_model` of beta/crime."""
    return make(store, ASSET, "beta/crime", open_transfer(store, study, "beta/crime"))


def make(
    store: DataStore, asset: str, key: str, job: TransferJob | pair_training.PairJob
) -> Artefact:
    """Publish a job's artefact as its asset would."""
    recipe = Recipe(code_version="1", inputs=job.inputs, config=job.config)
    device = Device(kind="cpu")
    store.publish(asset, key, recipe, lambda f: job.make(f, device, lambda _: None))
    return store.open(asset, key)
