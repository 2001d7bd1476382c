"""The assets of this step, run by Dagster on published upstreams."""

from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from streetineq_assets import resources
from streetineq_assets.devices import DeviceRequest
from streetineq_assets.errors import DeviceError
from streetineq_assets.models.baseline_guesses import NAMES
from streetineq_assets.models.bundles.bundle import export_bundle
from streetineq_assets.models.city_folds import FoldSlices, read_fold_slices, write_folds
from streetineq_assets.models.dataset import Codes
from streetineq_assets.models.deviations import deviations_of
from streetineq_assets.models.map_baselines import MAPS
from streetineq_assets.models.network import load_network
from streetineq_assets.models.pair_training import TAUGHT_FILE
from streetineq_assets.models.tables import TrainingRecord
from streetineq_assets.predictions.lineage import Lineage
from streetineq_assets.profiles import PROFILES
from streetineq_assets.resources import GpuResource
from streetineq_assets.store import DataStore
from streetineq_assets.study import Pair, load_study
from streetineq_tests import studies
from streetineq_tests.harness import failed, failed_checks, metadata, publish, run
from streetineq_tests.models.running import JOINT, failure, lose_images, trained_jointly

pytestmark = pytest.mark.usefixtures("plain_steps")


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> DataStore:
    """A study with folds, whose codes are synthetic though it does not say so of itself."""
    toml = studies.WITH_CODES.replace("synthetic = true", "synthetic = false")
    store = studies.write_with_codes(tmp_path_factory.mktemp("study"), toml=toml)
    run(store, "area_folds", "alpha")
    run(store, "area_folds", "hamlet")
    return store


@pytest.fixture(scope="module")
def trained(ready: DataStore) -> tuple[DataStore, dict[str, Any], set[str]]:
    """The study with one pair trained, what the UI shows of it, and its failed checks."""
    result = run(ready, "trained_model", "alpha/crime")
    return ready, metadata(result, "trained_model"), failed(result)


def test_folds_are_published_with_blocks_and_centroids(ready: DataStore) -> None:
    folds = ready.open("area_folds", "alpha")
    table = folds.table()
    assert table["fold"].value_counts().tolist() == [10] * 5
    assert set(table["scheme"]) == {"area"}
    blocks = folds.table("spatial_area_folds.parquet")
    assert set(blocks["area"]) == set(table["area"])
    assert folds.table("spatial_buffers.parquet").columns.tolist() == ["fold", "area"]
    assert len(folds.table("buffers.parquet")) == 0
    centroids = folds.table("centroids.parquet")
    assert len(centroids) == 50
    assert centroids["msoa"].value_counts().tolist() == [5] * 10
    assert set(centroids["authority"]) == {"E09000001"}


def test_folds_stay_when_an_outcome_is_added_if_those_of_before_even_them_out(
    tmp_path: Path,
) -> None:
    """Else the mean decile of most areas is another, and so is their fold."""
    two = studies.WITH_CODES
    one = two.replace('["crime", "education", "mean_income"]', '["crime"]')
    kept = two.replace("[folds]", '[folds]\nstratify_by = ["crime"]')
    store = studies.write_with_codes(tmp_path, toml=one)
    digests, slices = [], []
    for toml in (one, kept, two):
        store.study_file.write_text(toml, encoding="utf-8")
        slices.append(read_fold_slices(store, load_study(store.study_file), "alpha").digests())
    for toml in (one, kept):
        store.study_file.write_text(toml, encoding="utf-8")
        run(store, "area_folds", "alpha")
        digests.append(store.open("area_folds", "alpha").digest)
    assert digests[0] == digests[1]
    assert slices[0] == slices[1] != slices[2]


def test_too_few_areas_for_the_folds_are_unavailable_with_the_remedy(ready: DataStore) -> None:
    result = run(ready, "area_folds", "hamlet")
    shown = metadata(result, "area_folds")
    assert shown["status"] == "unavailable"
    assert "4 areas cannot fill 5 folds: set a smaller `k`" in shown["reason"]
    assert failed(result) == {"available"}
    result = run(ready, "trained_model", "hamlet/crime")
    assert metadata(result, "trained_model")["status"] == "unavailable"
    artefact = ready.open("trained_model", "hamlet/crime")
    assert len(artefact.table("scores.parquet")) == 0


def test_a_city_without_labels_is_not_told_to_make_smaller_folds(
    ready: DataStore, tmp_path: Path
) -> None:
    study = load_study(ready.study_file)
    slices = read_fold_slices(ready, study, "hamlet")
    nothing = FoldSlices(slices.areas.iloc[:0], slices.centroids.iloc[:0], None)
    findings = write_folds(nothing, study, tmp_path)
    assert failed_checks(findings) == {"available"}
    assert findings.unavailable.reason == "no area of the city has a label"
    assert pd.read_parquet(tmp_path / "area_folds.parquet").empty


def test_an_unavailable_outcome_publishes_empty_tables_and_names_its_file(ready: DataStore) -> None:
    result = run(ready, "trained_model", "alpha/mean_income")
    shown = metadata(result, "trained_model")
    assert shown["wanted"] == "household_income/estimates.csv"
    assert "available" in failed(result)
    lineage = Lineage(ready, load_study(ready.study_file))
    assert lineage.disagreements("trained_model", "alpha/mean_income") == ()
    artefact = ready.open("trained_model", "alpha/mean_income")
    tables = {"scores.parquet", "seed_scores.parquet", "history.parquet", TAUGHT_FILE}
    assert set(artefact.manifest.files) == tables
    assert all(artefact.table(name).empty for name in tables)
    full = ready.open("trained_model", "alpha/mean_income").table("scores.parquet")
    assert full.columns.tolist()[:3] == ["location_id", "fold", "h"]


def test_a_pair_publishes_networks_scores_and_history(trained: tuple) -> None:
    store, shown, _ = trained
    artefact = store.open("trained_model", "alpha/crime")
    scores = artefact.table("scores.parquet")
    assert len(scores) == 150
    assert artefact.table("history.parquet").groupby("fold").size().tolist() == [3] * 5
    assert trained[2] <= {"learned"}
    assert shown["n_locations_used"] == 150
    assert shown["profile"] == "recommended"
    assert shown["device_kind"] == "cpu"
    assert shown["codes_layer"] == "fc6"
    assert "tensorboard --logdir" in shown["tensorboard"]
    assert "learning_curves_plot" in shown
    assert list((store.logs("trained_model", "alpha/crime") / "fold_0").glob("events*"))
    assert not list(store.folder("trained_model", "alpha/crime").glob(".work"))


def test_networks_are_synthetic_when_their_codes_are(trained: tuple) -> None:
    store, _, _ = trained
    assert not load_study(store.study_file).synthetic
    assert store.manifest("trained_model", "alpha/crime").read_record(TrainingRecord).synthetic


def test_training_asks_for_one_gpu_of_several(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def refuse(request: DeviceRequest) -> Any:
        asked.append(request.gpus)
        raise DeviceError("none here")

    monkeypatch.setattr(resources, "lease", refuse)
    store = studies.write_with_codes(tmp_path)
    run(store, "area_folds", "alpha")
    several = GpuResource(kind="gpu", gpus=4)
    for asset, partition in (("trained_model", "alpha/crime"), ("joint_model", "alpha")):
        assert failure(store, asset, partition, gpu=several) == "none here"
    assert asked == [1, 1]


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
        network = load_network(
            artefact.file(f"fold_{fold}.keras"), PROFILES["recommended"], studies.WIDTH
        )
        h = np.asarray(network(features[mine]))[:, 0]
        np.testing.assert_allclose(h, scores.loc[ids[mine], "h"], atol=1e-4)


def test_baselines_stand_on_the_same_folds_and_on_spatial_blocks(trained: tuple) -> None:
    store, _, _ = trained
    result = run(store, "baseline_scores", "alpha/crime")
    assert not failed(result)
    table = store.open("baseline_scores", "alpha/crime").table()
    found = set(zip(table["baseline"], table["scheme"], strict=True))
    assert found == {
        *((name, "area") for name in NAMES),
        *((name, "spatial_block") for name in (*MAPS, "ridge")),
    }
    assert (table.groupby(["baseline", "scheme"]).size() == 50).all()
    folds = store.open("area_folds", "alpha").table().set_index("area")["fold"]
    area = table[table["scheme"] == "area"]
    assert (area["fold"].to_numpy() == folds[area["area"]].to_numpy()).all()


def test_a_second_run_skips_and_another_profile_trains_again(trained: tuple) -> None:
    store, shown, _ = trained
    again = metadata(run(store, "trained_model", "alpha/crime"), "trained_model")
    assert again["skipped"] is True
    assert again["val_loss"] == shown["val_loss"]
    before = store.manifest("trained_model", "alpha/crime").digest
    config = {"profile": "suel2019", "overrides": {"epochs": 1}}
    other = metadata(run(store, "trained_model", "alpha/crime", config=config), "trained_model")
    assert other["profile"] == "suel2019"
    deviations = pd.DataFrame(r.data for r in other["deviations_from_the_original"].records)
    here = deviations.set_index("original")["here"]
    assert here["epochs = 10 in the profile suel2019"] == "epochs = 1"
    assert len(here) == len(deviations_of("suel2019", PROFILES["suel2019"])) + 1
    assert other["share_of_noise_in_codes_sd"] == pytest.approx(0.05 / 8.17, rel=0.3)
    assert store.manifest("trained_model", "alpha/crime").digest != before
    run(store, "trained_model", "alpha/crime")
    assert store.manifest("trained_model", "alpha/crime").digest == before


def test_a_new_label_of_another_city_retrains_nothing(trained: tuple) -> None:
    store, _, _ = trained
    labels = store.open("lsoa_labels").table()
    availability = store.open("lsoa_labels").table("availability.parquet")
    changed = labels.assign(decile=labels["decile"].where(labels["city"] == "alpha", 5))
    publish(store, "lsoa_labels", None, lsoa_labels=changed, availability=availability)
    shown = metadata(run(store, "trained_model", "alpha/crime"), "trained_model")
    assert shown["skipped"] is True


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"profile": "best"}, "not in enum type ProfileChoice"),
        ({"overrides": {"epoch": 5}}, 'unexpected config entry "epoch"'),
        ({"overrides": {"head": "logistic"}}, "not in enum type head"),
    ],
)
def test_wrong_settings_of_a_run_are_refused_before_it_starts(
    trained: tuple, config: dict, message: str
) -> None:
    store, _, _ = trained
    with pytest.raises(dg.DagsterInvalidConfigError, match=message):
        run(store, "trained_model", "alpha/crime", config=config)


def test_a_setting_out_of_range_fails_in_one_sentence(trained: tuple) -> None:
    store, _, _ = trained
    config = {"overrides": {"epochs": 0}}
    assert "epochs = 0: must be" in failure(store, "trained_model", "alpha/crime", config)


def test_labels_for_fewer_than_half_of_the_locations_are_a_warning(tmp_path: Path) -> None:
    store = studies.write_with_codes(tmp_path)
    labels = store.open("lsoa_labels").table()
    availability = store.open("lsoa_labels").table("availability.parquet")
    kept = labels[(labels["city"] != "alpha") | (labels["area"] > "AE01000026")]
    publish(store, "lsoa_labels", None, lsoa_labels=kept, availability=availability)
    run(store, "area_folds", "alpha")
    result = run(store, "trained_model", "alpha/crime")
    assert "labels_cover_locations" in failed(result)
    shown = metadata(result, "trained_model")
    assert shown["n_locations_without_label"] == 81
    assert shown["n_locations_with_codes"] == 150
    scores = store.open("trained_model", "alpha/crime").table("scores.parquet")
    locations = store.open("locations", "alpha").table()
    labelled = locations["location_id"][locations["area"] > "AE01000026"]
    assert sorted(scores["location_id"]) == sorted(labelled)


def test_joint_networks_are_trained_once_per_city_and_serve_each_pair(tmp_path: Path) -> None:
    store = trained_jointly(tmp_path)
    made = store.manifest("joint_model", "alpha")
    assert made.recipe.config["outcomes"] == ["crime", "education"]
    first = run(store, "trained_model", "alpha/crime")
    assert failed(first) <= {"learned"}
    shown = metadata(first, "trained_model")
    assert shown["joint"] is True
    assert "crime, education" in shown["validation"]
    second = run(store, "trained_model", "alpha/education")
    assert metadata(second, "trained_model")["n_locations_used"] == 150
    crime = store.open("trained_model", "alpha/crime").table("scores.parquet")
    education = store.open("trained_model", "alpha/education").table("scores.parquet")
    assert not np.allclose(crime["h"], education["h"])
    joint = store.open("joint_model", "alpha").table()
    own = joint[joint["outcome"] == "crime"].drop(columns="outcome").reset_index(drop=True)
    pd.testing.assert_frame_equal(crime, own)
    assert metadata(run(store, "trained_model", "alpha/crime"), "trained_model")["skipped"] is True
    assert store.manifest("joint_model", "alpha") == made, "no pair trains it again"
    assert not failed(run(store, "baseline_scores", "alpha/crime"))


@pytest.mark.slow
def test_replaced_joint_networks_reach_each_pair_when_it_is_made_again(tmp_path: Path) -> None:
    store = trained_jointly(tmp_path)
    run(store, "trained_model", "alpha/crime")
    before = store.manifest("trained_model", "alpha/crime")
    run(store, "joint_model", "alpha", config={"overrides": {"epochs": 1, "head": "corn"}})
    export_bundle(store, Pair("alpha", "crime"), tmp_path / "x.streetineq")  # still its own
    made = metadata(run(store, "trained_model", "alpha/crime"), "trained_model")
    assert (made["skipped"], made["head"]) == (False, "corn")
    after = store.manifest("trained_model", "alpha/crime")
    changed = {"inputs.joint_model", "config.profile"}
    assert changed <= set(after.recipe.difference(before.recipe))


def test_joint_networks_of_other_inputs_are_to_be_made_first(tmp_path: Path) -> None:
    store = trained_jointly(tmp_path)
    lose_images(store, "alpha", ["AE01000003"])
    message = failure(store, "trained_model", "alpha/crime")
    assert "materialise joint_model[alpha] first" in message


def test_baselines_of_networks_trained_on_other_inputs_are_refused(tmp_path: Path) -> None:
    store = studies.write_with_codes(tmp_path)
    run(store, "area_folds", "alpha")
    run(store, "trained_model", "alpha/crime")
    lose_images(store, "alpha", ["AE01000003"])
    message = failure(store, "baseline_scores", "alpha/crime")
    assert "materialise trained_model[alpha/crime] first" in message


def test_codes_are_read_once_for_all_baselines(
    trained: tuple, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, _, _ = trained
    store.open("baseline_scores", "alpha/crime").file("baseline_scores.parquet").unlink()
    chunks, passes = Codes.chunks, []

    def counted(self: Codes, *args: object) -> object:
        passes.append(args)
        return chunks(self, *args)

    monkeypatch.setattr(Codes, "chunks", counted)
    shown = metadata(run(store, "baseline_scores", "alpha/crime"), "baseline_scores")
    assert shown["n_baselines"] == 7
    assert len(passes) == 1


def test_a_changed_baseline_retrains_nothing(trained: tuple) -> None:
    store, _, _ = trained
    before = store.manifest("trained_model", "alpha/crime")
    run(store, "baseline_scores", "alpha/crime")
    table = store.open("baseline_scores", "alpha/crime").file("baseline_scores.parquet")
    table.write_bytes(b"spoilt")
    made = metadata(run(store, "baseline_scores", "alpha/crime"), "baseline_scores")
    assert made["skipped"] is False
    again = metadata(run(store, "trained_model", "alpha/crime"), "trained_model")
    assert again["skipped"] is True
    assert store.manifest("trained_model", "alpha/crime") == before


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
    assert failed(result) == {"available"}
    assert ready.open("joint_model", "hamlet").table().empty


@pytest.mark.parametrize("joint", [False, True])
def test_one_row_per_class_of_every_outcome_cannot_be_drawn(joint: bool, tmp_path: Path) -> None:
    settings = f'profile = "suel2019"\njoint = {str(joint).lower()}'
    toml = studies.WITH_CODES.replace("[training]", f"[training]\n{settings}")
    store = studies.write_with_codes(tmp_path, toml=toml)
    run(store, "area_folds", "alpha")
    result = run(store, "joint_model", "alpha")
    assert failed(result) == {"available"}
    shown = metadata(result, "joint_model")
    assert 'balance = "weights"' in shown["wanted"]
    if joint:
        pair = run(store, "trained_model", "alpha/crime")
        assert "available" in failed(pair)
        own = metadata(pair, "trained_model")
        assert (own["wanted"], own["reason"]) == (shown["wanted"], shown["reason"])
        again = metadata(run(store, "trained_model", "alpha/crime"), "trained_model")
        assert again["skipped"] is True


@pytest.mark.parametrize(("decile", "told"), [(5, "one decile only"), (None, "no labelled")])
def test_a_poor_outcome_fails_alone_and_joint_training_does_without_it(
    decile: int | None, told: str, tmp_path: Path
) -> None:
    store = studies.write_with_codes(tmp_path, toml=JOINT)
    run(store, "area_folds", "alpha")
    labels = store.open("lsoa_labels").table()
    availability = store.open("lsoa_labels").table("availability.parquet")
    poor = (labels["city"] == "alpha") & (labels["outcome"] == "education")
    labels.loc[poor, "decile"] = pd.NA if decile is None else decile
    publish(store, "lsoa_labels", None, lsoa_labels=labels, availability=availability)
    together = metadata(run(store, "joint_model", "alpha"), "joint_model")
    shown = metadata(run(store, "trained_model", "alpha/crime"), "trained_model")
    assert f"education has {told}" in shown["outcomes_left_out"]
    assert together["outcomes_left_out"] == shown["outcomes_left_out"]
    assert store.manifest("joint_model", "alpha").recipe.config["outcomes"] == ["crime"]
    assert f"education has {told}" in failure(store, "trained_model", "alpha/education")
