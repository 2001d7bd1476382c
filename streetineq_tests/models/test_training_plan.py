"""What a training depends on, before anything is trained."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from streetineq_assets.codes.checks import FEW_SHARED_IMAGES
from streetineq_assets.codes.tables import ShardsRecord
from streetineq_assets.devices import Device
from streetineq_assets.errors import StudyError, TrainingError
from streetineq_assets.findings import Check, Findings
from streetineq_assets.models import dataset, training, training_plan
from streetineq_assets.models.availability import inputs_unavailable, teaching_cities
from streetineq_assets.models.pair_training import plan_pair
from streetineq_assets.models.training_plan import TrainingPlan, resolve_profile
from streetineq_assets.store import Artefact, DataStore
from streetineq_assets.study import Pair, Study, load_study
from streetineq_tests import studies
from streetineq_tests.harness import publish, run
from streetineq_tests.models.running import with_beta

CRIME = Pair("alpha", "crime")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> DataStore:
    """A study that calls itself synthetic, with alpha's folds."""
    store = studies.write_with_codes(tmp_path_factory.mktemp("study"))
    run(store, "area_folds", "alpha")
    return store


def planned(store: DataStore) -> TrainingPlan:
    study = load_study(store.study_file)
    return plan_pair(store, study, CRIME, resolve_profile(study))


@pytest.mark.parametrize("synthetic", [False, True])
def test_networks_are_as_synthetic_as_the_codes(store: DataStore, synthetic: bool) -> None:
    codes, rows = studies.codes_of("alpha")
    studies.publish_shards(store, "alpha", codes, rows["location_id"].tolist(), synthetic=synthetic)
    assert planned(store).synthetic is synthetic


def test_unfinished_training_of_another_version_is_not_resumed(
    store: DataStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its states are kept for the same fingerprint alone; see `test_training`."""

    def print_of(version: str) -> Mapping[str, str]:
        monkeypatch.setattr(training_plan, "TRAINING_VERSION", version)
        asked: dict[str, Any] = {}

        def nothing(*_: Any, **settings: Any) -> Any:
            asked.update(settings)
            return SimpleNamespace(states={})

        monkeypatch.setattr(training, "train_folds", nothing)
        planned(store).train(Device(kind="cpu"), lambda _: None)
        return asked["fingerprint"]

    one, other = print_of("1"), print_of("2")
    assert print_of("1") == one
    assert {name for name in one if one[name] != other[name]} == {"training_version"}
    plan = planned(store)
    assert {*plan.inputs, *plan.config} - {"seeds"} < set(one)


def test_images_of_two_areas_are_asked_before_anything_is_trained(
    store: DataStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def shared(_: DataStore, shards: Artefact, locations: pd.DataFrame) -> Check:
        assert shards.manifest.label == "hdf5_shards[alpha]"
        assert {"location_id", "area"} <= set(locations)
        return FEW_SHARED_IMAGES.result(False, "8 of 156 images occur in two LSOAs")

    monkeypatch.setattr(dataset, "ask_shared_images", shared)
    with pytest.raises(TrainingError, match="alpha: 8 of 156 images"):
        planned(store)


def test_a_city_without_codes_teaches_nobody(tmp_path: Path) -> None:
    store = with_beta(tmp_path, "city")
    study = load_study(store.study_file)
    assert teaching_cities(store, study, "alpha", ("crime",)) == {
        "hamlet": ("crime",), "beta": ("crime",),
    }  # fmt: skip
    nothing = ShardsRecord(
        n_listed=9, n_extracted=0, n_rejected=0, n_missing=9, encoder=studies.ENCODER,
        dtype="float16",
    )  # fmt: skip
    publish(store, "hdf5_shards", "beta", Findings(record=nothing), rows=pd.DataFrame({"n": []}))
    assert teaching_cities(store, study, "alpha", ("crime",)) == {"hamlet": ("crime",)}
    assert {name.split("/")[0] for name in planned(store).inputs} == {"alpha", "hamlet"}
    assert inputs_unavailable(store, Pair("beta", "crime")).wanted.endswith("inputs/images/beta")


@pytest.mark.parametrize(
    ("chosen", "told"),
    [
        ({"name": "fastest"}, r'profile = "fastest": must be one of recommended, suel2019'),
        ({"overrides": {"learning_rat": 0.1}}, r"learning_rat .* did you mean learning_rate\?"),
        ({"overrides": {"epochs": 0}}, r"epochs = 0: must be greater than or equal to 1"),
    ],
)
def test_wrong_settings_of_a_run_are_told_like_those_of_the_study(
    chosen: dict[str, Any], told: str
) -> None:
    study = Study.model_validate(tomllib.loads(studies.two_towns()))
    with pytest.raises(StudyError, match=told):
        resolve_profile(study, **chosen)


@pytest.mark.parametrize(
    ("n_listed", "without_codes", "wanted", "reason"),
    [
        (0, {}, "inputs/locations/beta.csv", "none is listed"),
        (9, {"missing_view": 8, "blank": 1}, "the four views", "of 9 listed ones 8 missing_view"),
    ],
)
def test_a_city_without_codes_says_why(
    tmp_path: Path, n_listed: int, without_codes: dict[str, int], wanted: str, reason: str
) -> None:
    store = with_beta(tmp_path, "area")
    record = ShardsRecord(
        n_listed=n_listed, n_extracted=0, n_rejected=n_listed, n_missing=0, dtype="float16",
        without_codes=without_codes, encoder=studies.ENCODER,
    )  # fmt: skip
    publish(store, "hdf5_shards", "beta", Findings(record=record), rows=pd.DataFrame({"n": []}))
    why = inputs_unavailable(store, Pair("beta", "crime"))
    assert wanted in why.wanted
    assert reason in why.reason
