"""The assets of this step, run by Dagster on published upstreams."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from streetineq_assets.errors import StoreError
from streetineq_assets.models.assets import build_assets
from streetineq_assets.models.baselines import BASELINES
from streetineq_assets.models.bundle import export_bundle, open_bundle
from streetineq_assets.models.inputs import open_codes
from streetineq_assets.models.ledger import ledger_of
from streetineq_assets.models.network import load_network
from streetineq_assets.partitions import Partitions
from streetineq_assets.resources import GpuResource, StudyResource
from streetineq_assets.store import DataStore
from streetineq_assets.study import PROFILES, load_study
from streetineq_tests.models import published

pytestmark = pytest.mark.usefixtures("plain_steps")


def run(
    store: DataStore, asset: str, partition: str, config: dict | None = None, *, fails: bool = False
) -> dg.ExecuteInProcessResult:
    parts = Partitions(load_study(store.study_file))
    return dg.materialize(
        build_assets(parts),
        selection=[asset],
        partition_key=partition,
        resources={"study": StudyResource(root=str(store.root)), "gpu": GpuResource(kind="cpu")},
        run_config={"ops": {asset: {"config": config}}} if config else None,
        raise_on_error=not fails,
    )


def metadata(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, Any]:
    (event,) = result.asset_materializations_for_node(asset)
    return {name: value.value for name, value in event.metadata.items()}


def checks(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    return {c.check_name: c.passed for c in result.get_asset_check_evaluations()}


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


@pytest.mark.parametrize("scheme", ["spatial_block", "location", "holdout", "city"])
def test_every_scheme_trains_and_says_what_it_is(scheme: str, tmp_path: Path) -> None:
    store = with_beta(tmp_path, scheme)
    result = run(store, "trained_model", "alpha/crime")
    shown, passed = metadata(result, "trained_model"), checks(result)
    assert all(value for name, value in passed.items() if name != "learned"), passed
    assert shown["scheme"] == scheme
    assert ("leak" in shown) == (scheme == "location")
    assert (shown["n_locations_used"], shown["n_areas_used"]) == (150, 50)
    learned = (shown["n_locations_trained_on"], shown["n_areas_trained_on"])
    assert learned == {"holdout": (105, 35), "city": (132, 44)}.get(scheme, (150, 50))
    bundle = open_bundle(export_bundle(store, "alpha", "crime", tmp_path / "x.streetineq"))
    others = {"beta": "Beta", "hamlet": "Hamlet"}
    assert bundle.about["trained_on"] == {"city": others}.get(scheme, {"alpha": "Alpha"})
    scores = store.open("trained_model", "alpha/crime").table("scores.parquet")
    assert scores["location_id"].str.startswith("A").all()
    assert len(scores) == {"holdout": 45}.get(scheme, 150)
    assert scores["fold"].nunique() == {"holdout": 1, "city": 1}.get(scheme, 5)
    table = store.open("trained_model", "alpha/crime").table("baselines.parquet")
    own = table[table["scheme"] == scheme]
    assert set(own["baseline"]) == set(BASELINES)
    assert own["lsoa11"].str.startswith("A").all()
    assert not own.duplicated(["baseline", "lsoa11"]).any()
    if scheme in ("location", "holdout"):
        shown = metadata(run(store, "joint_model", "alpha"), "joint_model")
        assert ("leak" in shown) == (scheme == "location")


def test_codes_of_different_encoders_are_not_learned_from_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = with_beta(tmp_path, "city")
    codes, ids = codes_of(store, "beta")
    monkeypatch.setitem(published.ENCODER, "layer", "block5_pool")
    published.publish_shards(store, "beta", codes, ids)
    result = run(store, "trained_model", "alpha/crime", fails=True)
    (failure,) = [e for e in result.all_events if e.is_step_failure]
    message = failure.step_failure_data.user_failure_data.description
    assert "alpha have layer fc6, those of beta block5_pool" in message


def test_codes_of_several_cities_are_read_in_the_widest_of_their_types(tmp_path: Path) -> None:
    store = published.write_study(tmp_path, beta=True)
    codes, ids = codes_of(store, "alpha")
    with np.errstate(over="ignore"):  # in the attributes, which nothing is computed from
        published.publish_shards(store, "alpha", codes.astype("float16"), ids)
    wide, ids = codes_of(store, "beta")
    wide[3, 0, 5] = 1e5  # not a number that float16 has
    published.publish_shards(store, "beta", wide, ids)
    both = open_codes([store.open("hdf5_shards", city) for city in ("alpha", "beta")], 2**30)
    both.load()
    assert both.dtype == np.float32
    features = both.take(np.arange(both.reader.n_rows))
    np.testing.assert_array_equal(features[: len(codes)], codes.astype("float16"))
    np.testing.assert_array_equal(features[len(codes) :], wide)


def codes_of(store: DataStore, city: str) -> tuple[np.ndarray, list[str]]:
    """A city's codes as published, and whose they are."""
    reader = open_codes([store.open("hdf5_shards", city)], 0).reader
    return reader.read(), reader.location_ids.tolist()


def test_an_outcome_that_no_other_city_has_cannot_be_learned_from_them(tmp_path: Path) -> None:
    store = with_beta(tmp_path, "city")
    result = run(store, "trained_model", "alpha/education")
    assert checks(result)["available"] is False
    shown = metadata(result, "trained_model")
    assert "none of them has education" in shown["reason"]
    assert "another city with education" in shown["wanted"]


@pytest.mark.parametrize(
    ("outcomes", "together"),
    [('"crime"', ["crime"]), ('"crime", "education"', ["crime", "education"])],
)
def test_joint_networks_of_a_city_left_out_learn_what_any_other_city_has(
    outcomes: str, together: list[str], tmp_path: Path
) -> None:
    store = with_beta(tmp_path, "city", outcomes=outcomes, joint=True)
    for outcome in together:
        run(store, "trained_model", f"alpha/{outcome}")
        scores = store.open("trained_model", f"alpha/{outcome}").table("scores.parquet")
        assert len(scores) == 150
    made = store.manifest("joint_model", "alpha")
    assert made.recipe.config["outcomes"] == together
    assert {name.split("/")[0] for name in made.recipe.inputs} == {"alpha", "beta", "hamlet"}
    run(store, "trained_model", "alpha/education")
    shown = metadata(run(store, "joint_model", "alpha"), "joint_model")
    assert shown["skipped"] is True, "each pair found the networks of the first"
    assert store.manifest("joint_model", "alpha") == made


@pytest.mark.parametrize("joint", [False, True])
def test_a_fold_whose_areas_have_no_images_is_left_out_and_told(
    joint: bool, tmp_path: Path
) -> None:
    store = published.write_study(tmp_path, toml=published.JOINT if joint else published.STUDY)
    run(store, "area_folds", "alpha")
    folds = store.open("area_folds", "alpha").table()
    published.lose_images(store, "alpha", folds.loc[folds["fold"] == 2, "lsoa11"])
    result = run(store, "trained_model", "alpha/crime")
    assert all(passed for name, passed in checks(result).items() if name != "learned")
    shown = metadata(result, "trained_model")
    assert (shown["n_folds"], shown["n_folds_without_images"]) == (4, 1)
    assert "Fold 2 tests no location that has codes" in shown["folds_without_images"]
    artefact = store.open("trained_model", "alpha/crime")
    scores = artefact.table("scores.parquet")
    assert (len(scores), set(scores["fold"])) == (120, {0, 1, 3, 4})
    baselines = artefact.table("baselines.parquet")
    assert set(baselines.loc[baselines["scheme"] == "area", "fold"]) == {0, 1, 3, 4}
    bundle = export_bundle(store, "alpha", "crime", tmp_path / "crime.streetineq")
    assert list(open_bundle(bundle).networks()) == [0, 1, 3, 4]
    if joint:
        assert store.manifest("joint_model", "alpha").summary["figures"]["n_folds"] == 4


def test_a_city_whose_tested_areas_have_no_images_fails_with_the_remedy(tmp_path: Path) -> None:
    store = published.write_study(
        tmp_path, toml=published.STUDY.replace("[folds]", '[folds]\nscheme = "holdout"')
    )
    run(store, "area_folds", "alpha")
    folds = store.open("area_folds", "alpha").table()
    published.lose_images(store, "alpha", folds.loc[folds["fold"] == 0, "lsoa11"])
    assert "no fold tests a location that has codes and a label: add images" in failure(
        store, "alpha/crime"
    )


def test_images_in_a_part_of_the_city_leave_out_the_spatial_folds_without_them(
    tmp_path: Path,
) -> None:
    store = published.write_study(tmp_path)
    run(store, "area_folds", "alpha")
    blocks = store.open("area_folds", "alpha").table("spatial_area_folds.parquet")
    east = blocks.loc[blocks["lsoa11"].str[-1].astype(int) >= 4, "lsoa11"]
    published.lose_images(store, "alpha", east)
    shown = metadata(run(store, "trained_model", "alpha/crime"), "trained_model")
    assert (shown["n_areas_used"], shown["n_folds_without_images"]) == (20, 0)
    table = store.open("trained_model", "alpha/crime").table("baselines.parquet")
    spatial = table.loc[table["scheme"] == "spatial_block", "fold"].nunique()
    assert shown["n_spatial_folds_without_images"] == 5 - spatial > 0


def test_a_city_that_is_not_there_yet_is_left_out_and_told(tmp_path: Path) -> None:
    store = with_beta(tmp_path, "city", folds=["alpha"])
    shown = metadata(run(store, "trained_model", "alpha/crime"), "trained_model")
    assert shown["status"] == "unavailable"
    assert shown["wanted"] == "area_folds[hamlet], area_folds[beta] to be materialised"
    assert "none of those with crime is there yet" in shown["reason"]
    run(store, "area_folds", "beta")
    result = run(store, "trained_model", "alpha/crime")
    shown = metadata(result, "trained_model")
    assert checks(result)["available"]
    assert shown["trained_on"] == "beta"
    assert "not there yet: hamlet" in shown["cities_not_there"]
    assert "materialise area_folds[hamlet], then" in shown["cities_not_there"]
    shown = metadata(run(store, "joint_model", "alpha"), "joint_model")
    assert "not there yet: hamlet" in shown["cities_not_there"]
    run(store, "area_folds", "hamlet")
    shown = metadata(run(store, "trained_model", "alpha/crime"), "trained_model")
    assert shown["trained_on"] == "hamlet, beta"
    assert "cities_not_there" not in shown


@pytest.mark.parametrize(("scheme", "needed"), [("location", True), ("city", False)])
def test_folds_depend_on_what_their_scheme_reads(scheme: str, needed: bool, tmp_path: Path) -> None:
    store = with_beta(tmp_path, scheme, folds=[])
    folds = build_assets(Partitions(load_study(store.study_file)))[0]
    assert (dg.AssetKey("locations") in folds.dependency_keys) == needed


def failure(store: DataStore, pair: str, config: dict | None = None) -> str:
    """The one sentence with which a pair's training fails."""
    result = run(store, "trained_model", pair, config, fails=True)
    (event,) = [e for e in result.all_events if e.is_step_failure]
    return event.step_failure_data.user_failure_data.description


def trained_jointly(root: Path) -> DataStore:
    """The study with `joint = true`, and alpha's folds."""
    store = published.write_study(root, toml=published.JOINT)
    run(store, "area_folds", "alpha")
    return store


def with_beta(
    root: Path,
    scheme: str,
    *,
    outcomes: str = '"crime"',
    joint: bool = False,
    folds: Sequence[str] = ("alpha", "beta", "hamlet"),
) -> DataStore:
    """The study with a third city, and its folds by a scheme."""
    toml = published.STUDY.replace("[folds]", f'[folds]\nscheme = "{scheme}"')
    toml = toml.replace("block_km = 2.0", "block_km = 3.0")
    if joint:
        toml = toml.replace(
            "[training.overrides]", "[training]\njoint = true\n\n[training.overrides]"
        )
    toml += f"""
[cities.beta]
title = "Beta"
authorities = ["E09000003"]
outcomes = [{outcomes}]
"""
    store = published.write_study(root, toml=toml, beta=True)
    for city in folds:
        run(store, "area_folds", city)
    return store
