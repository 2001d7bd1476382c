"""The assets of this step, run by Dagster on published upstreams."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from streetineq_assets.errors import StoreError
from streetineq_assets.models.bundles.bundle import export_bundle
from streetineq_assets.models.deviations import ledger_of
from streetineq_assets.models.network import load_network
from streetineq_assets.store import DataStore
from streetineq_assets.study import PROFILES
from streetineq_tests.models import published
from streetineq_tests.models.running import checks, failure, metadata, run, trained_jointly

pytestmark = pytest.mark.usefixtures("plain_steps")


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> DataStore:
    """A study with folds."""
    store = published.write_study(tmp_path_factory.mktemp("study"))
    run(store, "area_folds", "alpha")
    run(store, "area_folds", "hamlet")
    return store


@pytest.fixture(scope="module")
def trained(ready: DataStore) -> tuple[DataStore, dict[str, Any], dict[str, bool]]:
    """The study with one pair trained, what the UI shows of it, and its checks."""
    result = run(ready, "trained_model", "alpha/crime")
    return ready, metadata(result, "trained_model"), checks(result)


def test_folds_are_published_with_blocks_and_centroids(ready: DataStore) -> None:
    folds = ready.open("area_folds", "alpha")
    table = folds.table()
    assert table["fold"].value_counts().tolist() == [10] * 5
    assert set(table["scheme"]) == {"area"}
    blocks = folds.table("spatial_area_folds.parquet")
    assert set(blocks["lsoa11"]) == set(table["lsoa11"])
    assert folds.table("spatial_buffers.parquet").columns.tolist() == ["fold", "lsoa11"]
    assert len(folds.table("buffers.parquet")) == 0
    assert len(folds.table("centroids.parquet")) == 50


def test_too_few_areas_for_the_folds_are_unavailable_with_the_remedy(ready: DataStore) -> None:
    result = run(ready, "area_folds", "hamlet")
    shown = metadata(result, "area_folds")
    assert shown["status"] == "unavailable"
    assert "4 areas cannot fill 5 folds: set a smaller `k`" in shown["reason"]
    assert [name for name, passed in checks(result).items() if not passed] == ["available"]
    result = run(ready, "trained_model", "hamlet/crime")
    assert metadata(result, "trained_model")["status"] == "unavailable"
    artefact = ready.open("trained_model", "hamlet/crime")
    assert len(artefact.table("scores.parquet")) == 0


def test_an_unavailable_outcome_publishes_empty_tables_and_names_its_file(ready: DataStore) -> None:
    result = run(ready, "trained_model", "alpha/mean_income")
    shown = metadata(result, "trained_model")
    assert shown["wanted"] == "household_income/estimates.csv"
    assert checks(result)["available"] is False
    artefact = ready.open("trained_model", "alpha/mean_income")
    assert {name.split(".")[0] for name in artefact.manifest.files} == {
        "scores", "history", "baselines",
    }  # fmt: skip
    full = ready.open("trained_model", "alpha/mean_income").table("scores.parquet")
    assert full.columns.tolist()[:3] == ["location_id", "fold", "h"]


def test_a_pair_publishes_networks_scores_history_and_baselines(trained: tuple) -> None:
    store, shown, passed = trained
    artefact = store.open("trained_model", "alpha/crime")
    scores = artefact.table("scores.parquet")
    assert len(scores) == 150
    assert artefact.table("history.parquet").groupby("fold").size().tolist() == [3] * 5
    assert all(value for name, value in passed.items() if name != "learned"), passed
    assert shown["n_locations_used"] == 150
    assert shown["profile"] == "recommended"
    assert shown["device_kind"] == "cpu"
    assert shown["codes_layer"] == "fc6"
    assert "tensorboard --logdir" in shown["tensorboard"]
    assert "learning_curves_plot" in shown
    assert list((store.logs("trained_model", "alpha/crime") / "fold_0").glob("events*"))
    assert not list(store.folder("trained_model", "alpha/crime").glob(".work"))


def test_a_published_network_gives_the_published_scores(trained: tuple) -> None:
    store, _, _ = trained
    artefact = store.open("trained_model", "alpha/crime")
    scores = artefact.table("scores.parquet").set_index("location_id")
    rows = store.open("hdf5_shards", "alpha").table("rows.parquet")
    import h5py

    with h5py.File(store.open("hdf5_shards", "alpha").file("shard_000.h5")) as file:
        ids, features = file["location_id"].asstr()[:], file["features"][:]
    assert set(ids) <= set(rows["location_id"])
    for fold in range(5):
        mine = scores.loc[ids, "fold"].to_numpy() == fold
        network = load_network(artefact.file(f"fold_{fold}.keras"))
        h = np.asarray(network(features[mine]))[:, 0]
        np.testing.assert_allclose(h, scores.loc[ids[mine], "h"], atol=1e-4)


def test_baselines_stand_on_the_same_folds_and_on_spatial_blocks(trained: tuple) -> None:
    store, _, _ = trained
    table = store.open("trained_model", "alpha/crime").table("baselines.parquet")
    found = set(zip(table["baseline"], table["scheme"], strict=True))
    assert found == {
        ("constant", "area"), ("coordinates", "area"), ("image_count", "area"), ("ridge", "area"),
        ("coordinates_and_score", "area"), ("coordinates", "spatial_block"),
        ("ridge", "spatial_block"),
    }  # fmt: skip
    assert (table.groupby(["baseline", "scheme"]).size() == 50).all()
    folds = store.open("area_folds", "alpha").table().set_index("lsoa11")["fold"]
    area = table[table["scheme"] == "area"]
    assert (area["fold"].to_numpy() == folds[area["lsoa11"]].to_numpy()).all()


def test_a_second_run_skips_and_another_profile_trains_again(trained: tuple) -> None:
    store, shown, _ = trained
    again = metadata(run(store, "trained_model", "alpha/crime"), "trained_model")
    assert again["skipped"] is True
    assert again["val_loss"] == shown["val_loss"]
    before = store.manifest("trained_model", "alpha/crime").digest
    config = {"profile": "suel2019", "overrides": {"epochs": 1}}
    other = metadata(run(store, "trained_model", "alpha/crime", config), "trained_model")
    assert other["profile"] == "suel2019"
    ledger = pd.DataFrame(r.data for r in other["departures_from_the_original"].records)
    here = ledger.set_index("original")["here"]
    assert here["epochs = 10 in the profile suel2019"] == "epochs = 1"
    assert len(here) == len(ledger_of("suel2019", PROFILES["suel2019"])) + 1
    assert other["noise_share_of_codes_sd"] == pytest.approx(0.05 / 8.17, rel=0.3)
    assert store.manifest("trained_model", "alpha/crime").digest != before
    run(store, "trained_model", "alpha/crime")
    assert store.manifest("trained_model", "alpha/crime").digest == before


def test_a_new_label_of_another_city_retrains_nothing(trained: tuple) -> None:
    store, _, _ = trained
    labels = store.open("lsoa_labels").table()
    availability = store.open("lsoa_labels").table("availability.parquet")
    changed = labels.assign(decile=labels["decile"].where(labels["city"] == "alpha", 5))
    published.publish(store, "lsoa_labels", None, lsoa_labels=changed, availability=availability)
    shown = metadata(run(store, "trained_model", "alpha/crime"), "trained_model")
    assert shown["skipped"] is True


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"profile": "best"}, "profile 'best'"),
        ({"overrides": {"epochs": 0}}, "'epochs': 0"),
        ({"overrides": {"epoch": 5}}, "'epoch': 5"),
    ],
)
def test_wrong_settings_of_a_run_fail_in_one_sentence(
    trained: tuple, config: dict, message: str
) -> None:
    store, _, _ = trained
    assert message in failure(store, "alpha/crime", config)


def test_labels_for_fewer_than_half_of_the_locations_are_a_warning(tmp_path: Path) -> None:
    store = published.write_study(tmp_path)
    labels = store.open("lsoa_labels").table()
    availability = store.open("lsoa_labels").table("availability.parquet")
    kept = labels[(labels["city"] != "alpha") | (labels["lsoa11"] > "AE01000026")]
    published.publish(store, "lsoa_labels", None, lsoa_labels=kept, availability=availability)
    run(store, "area_folds", "alpha")
    result = run(store, "trained_model", "alpha/crime")
    assert checks(result)["labels_cover_locations"] is False
    shown = metadata(result, "trained_model")
    assert shown["n_locations_without_label"] == 81
    assert shown["n_locations_with_codes"] == 150
    assert isinstance(store.open("trained_model", "alpha/crime").table("scores.parquet"),
                      pd.DataFrame)  # fmt: skip


def test_joint_networks_are_trained_once_per_city_and_serve_each_pair(tmp_path: Path) -> None:
    store = trained_jointly(tmp_path)
    first = run(store, "trained_model", "alpha/crime")
    assert all(passed for name, passed in checks(first).items() if name != "learned")
    assert metadata(first, "trained_model")["joint"] is True
    together = "2 outcomes on one trunk taken together: crime, education"
    assert together in metadata(first, "trained_model")["validation"]
    made = store.manifest("joint_model", "alpha")
    assert made.recipe.config["outcomes"] == ["crime", "education"]
    second = run(store, "trained_model", "alpha/education")
    assert store.manifest("joint_model", "alpha") == made
    assert metadata(second, "trained_model")["n_locations_used"] == 150
    files = store.manifest("trained_model", "alpha/education").files
    assert not [name for name in files if name.endswith(".keras")]
    crime = store.open("trained_model", "alpha/crime").table("scores.parquet")
    education = store.open("trained_model", "alpha/education").table("scores.parquet")
    assert not np.allclose(crime["h"], education["h"])
    assert metadata(run(store, "trained_model", "alpha/crime"), "trained_model")["skipped"] is True
    shown = metadata(run(store, "joint_model", "alpha"), "joint_model")
    assert shown["skipped"] is True, "the asset is what the pairs made"


@pytest.mark.slow
def test_a_pair_whose_joint_networks_were_replaced_has_none_until_it_is_made_again(
    tmp_path: Path,
) -> None:
    store = trained_jointly(tmp_path)
    run(store, "trained_model", "alpha/crime")
    run(store, "trained_model", "alpha/education", {"overrides": {"epochs": 1, "head": "corn"}})
    target = tmp_path / "x.streetineq"
    with pytest.raises(StoreError, match=r"replaced .* materialise trained_model\[alpha/crime\]"):
        export_bundle(store, "alpha", "crime", target)
    export_bundle(store, "alpha", "education", target)
    made = metadata(run(store, "trained_model", "alpha/crime"), "trained_model")
    assert made["skipped"] is False
    assert made["joint_digest"] == store.manifest("joint_model", "alpha").digest
    export_bundle(store, "alpha", "crime", target)
    assert metadata(run(store, "trained_model", "alpha/crime"), "trained_model")["skipped"] is True


def test_a_joint_model_stands_beside_separate_networks(ready: DataStore) -> None:
    result = run(ready, "joint_model", "alpha")
    shown = metadata(result, "joint_model")
    assert (shown["n_outcomes"], shown["n_folds"]) == (2, 5)
    scores = ready.open("joint_model", "alpha").table()
    assert scores.groupby("outcome").size().to_dict() == {"crime": 150, "education": 150}
    assert not scores.duplicated(["outcome", "location_id"]).any()
    assert metadata(run(ready, "joint_model", "alpha"), "joint_model")["skipped"] is True


def test_a_city_without_folds_has_no_joint_model_and_fails_nothing(ready: DataStore) -> None:
    result = run(ready, "joint_model", "hamlet")
    assert checks(result) == {"available": False}
    assert ready.open("joint_model", "hamlet").table().empty


@pytest.mark.parametrize("joint", [False, True])
def test_one_row_per_class_of_every_outcome_cannot_be_drawn(joint: bool, tmp_path: Path) -> None:
    settings = f'profile = "suel2019"\njoint = {str(joint).lower()}\n'
    toml = published.STUDY.replace(
        "[training.overrides]", f"[training]\n{settings}\n[training.overrides]"
    )
    store = published.write_study(tmp_path, toml=toml)
    run(store, "area_folds", "alpha")
    result = run(store, "joint_model", "alpha")
    assert checks(result) == {"available": False}
    shown = metadata(result, "joint_model")
    assert 'balance = "weights"' in shown["wanted"]
    if joint:
        pair = run(store, "trained_model", "alpha/crime")
        assert checks(pair)["available"] is False
        own = metadata(pair, "trained_model")
        assert (own["wanted"], own["reason"]) == (shown["wanted"], shown["reason"])
        again = metadata(run(store, "trained_model", "alpha/crime"), "trained_model")
        assert again["skipped"] is True


@pytest.mark.parametrize(("decile", "told"), [(5, "one decile only"), (None, "no labelled")])
def test_a_poor_outcome_fails_alone_and_joint_training_does_without_it(
    decile: int | None, told: str, tmp_path: Path
) -> None:
    store = published.write_study(tmp_path, toml=published.JOINT)
    run(store, "area_folds", "alpha")
    labels = store.open("lsoa_labels").table()
    availability = store.open("lsoa_labels").table("availability.parquet")
    poor = (labels["city"] == "alpha") & (labels["outcome"] == "education")
    labels.loc[poor, "decile"] = pd.NA if decile is None else decile
    published.publish(store, "lsoa_labels", None, lsoa_labels=labels, availability=availability)
    shown = metadata(run(store, "trained_model", "alpha/crime"), "trained_model")
    assert shown["status"] == "available"
    assert f"education has {told}" in shown["outcomes_left_out"]
    together = metadata(run(store, "joint_model", "alpha"), "joint_model")
    assert together["skipped"] is True
    assert together["outcomes_left_out"] == shown["outcomes_left_out"]
    assert store.manifest("joint_model", "alpha").recipe.config["outcomes"] == ["crime"]
    assert f"education has {told}" in failure(store, "alpha/education")
