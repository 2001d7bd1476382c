"""Slices as they stand have the digests that recipes record, and each is taken once."""

import pytest

from streetineq_assets import tables
from streetineq_assets.digests import digest_frame
from streetineq_assets.errors import StoreError
from streetineq_assets.findings import Findings
from streetineq_assets.manifests import Recipe
from streetineq_assets.models.city_folds import read_fold_slices
from streetineq_assets.models.dataset import city_labels
from streetineq_assets.predictions import standing as standing_module
from streetineq_assets.predictions.location_scores import pair_labels
from streetineq_assets.predictions.places import pair_values
from streetineq_assets.predictions.standing import Standing
from streetineq_assets.publishing import describe
from streetineq_assets.store import DataStore
from streetineq_assets.study import Pair, load_study
from streetineq_tests.harness import publish, publish_again
from streetineq_tests.studies import write_with_codes

PAIRS = [Pair("alpha", "crime"), Pair("alpha", "education"), Pair("hamlet", "crime")]


@pytest.fixture
def store(tmp_path) -> DataStore:
    """Labels of two cities; one area has none."""
    store = write_with_codes(tmp_path)
    gap = {"decile": lambda table: table["decile"].where(table.index != 3)}
    publish_again(store, "lsoa_labels", None, changes=gap)
    placed = store.open("locations", "alpha").table().assign(lat=51.5, lon=-0.1)
    publish(store, "locations", "alpha", locations=placed)
    return store


@pytest.fixture(autouse=True)
def nothing_taken(monkeypatch):
    monkeypatch.setattr(standing_module, "_TAKEN", {})


@pytest.fixture
def standing(store):
    return Standing(store, load_study(store.study_file))


@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_labels_have_the_digests_of_the_frames_that_steps_read(store, standing, pair):
    used = city_labels(store.open("lsoa_labels"), pair.city, (pair.outcome,))
    own = pair_labels(store, pair)
    found = {
        standing.labels(pair.city, (pair.outcome,)): digest_frame(used),
        standing.labels_alone(pair): digest_frame(used[["area", "decile"]]),
        standing.labels_of(pair): digest_frame(own),
        standing.values_of(pair): digest_frame(pair_values(store, pair)),
        standing.n_labelled(pair): str(int(own["decile"].notna().sum())),
    }
    assert {each.digest(): each.of for each in found} == dict.fromkeys(
        found.values(), (("lsoa_labels", None),)
    )


def test_labels_of_several_outcomes_are_those_of_joint_training(store, standing):
    outcomes = ("education", "crime")
    expected = city_labels(store.open("lsoa_labels"), "alpha", outcomes)
    assert standing.labels("alpha", outcomes).digest() == digest_frame(expected)
    nowhere = city_labels(store.open("lsoa_labels"), "atlantis", outcomes)
    assert standing.labels("atlantis", outcomes).digest() == digest_frame(nowhere)


@pytest.mark.parametrize(
    "folds",
    [
        {"scheme": "area"},
        {"scheme": "area", "buffer_m": 500.0},
        {"scheme": "area", "stratify_by": ["crime"]},
        {"scheme": "location"},
        {"scheme": "district"},
        {"scheme": "city"},
    ],
    ids=str,
)
def test_folds_have_the_digests_of_what_they_are_made_of(store, standing, folds):
    study = standing.study.model_copy(
        update={"folds": type(standing.study.folds).model_validate(folds)}
    )
    expected = read_fold_slices(store, study, "alpha").digests()
    recipe = Recipe(code_version="1", inputs=expected, config={"folds": folds})
    manifest = describe("area_folds", "alpha", recipe, Findings(), {})
    slices = standing.fold_slices(manifest, "alpha", set(expected))
    assert {name: slices[name].digest() for name in expected} == expected


def test_a_city_that_left_the_study_has_no_folds(standing):
    recipe = Recipe(code_version="1", config={"folds": {}})
    manifest = describe("area_folds", "atlantis", recipe, Findings(), {})
    slices = standing.fold_slices(manifest, "atlantis", {"labels", "centroids"})
    assert slices["labels"].digest() == ""


def test_what_was_taken_is_not_read_again_until_its_files_are_others(store, standing, monkeypatch):
    before = standing.labels("alpha", ("crime",)).digest()
    elsewhere = standing.labels("hamlet", ("crime",)).digest()
    with monkeypatch.context() as patched:
        patched.setattr(tables, "read", lambda *_, **__: pytest.fail("read again"))
        again = Standing(store, standing.study)
        assert again.labels("alpha", ("crime",)).digest() == before
    turned = {"decile": lambda t: t["decile"].where(t["city"] != "alpha", 11 - t["decile"])}
    publish_again(store, "lsoa_labels", None, changes=turned)
    after = Standing(store, standing.study)
    assert after.labels("alpha", ("crime",)).digest() != before
    assert after.labels("hamlet", ("crime",)).digest() == elsewhere


def test_damage_is_seen_in_what_was_taken_before(store, standing):
    assert standing.location_areas("alpha").digest()
    file = store.open("locations", "alpha").file("locations.parquet")
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(StoreError, match="materialise locations"):
        Standing(store, standing.study).location_areas("alpha").digest()
