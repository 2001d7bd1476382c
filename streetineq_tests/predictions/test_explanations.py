"""`explanations` of networks that were trained, run by Dagster on published upstreams."""

import shutil

import numpy as np
import pandas as pd
import pytest

from streetineq_assets.models import network, pooling
from streetineq_assets.predictions import explanations
from streetineq_assets.predictions.explanations import EXPLANATION_FILES
from streetineq_assets.predictions.lineage import Lineage
from streetineq_assets.predictions.tables import INFLUENCES
from streetineq_assets.resources import GpuResource
from streetineq_assets.store import DataStore
from streetineq_assets.study import load_study
from streetineq_tests import harness, studies
from streetineq_tests.predictions import explained_study
from streetineq_tests.predictions.explained_study import CITY, OF_PAIR, PAIR
from streetineq_tests.predictions.test_influence import deleted_and_averaged_again

ASSET = "explanations"
pytestmark = pytest.mark.usefixtures("plain_steps")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The study explained, and what came of the run."""
    store = explained_study.write(tmp_path_factory.mktemp("explained"))
    for asset in OF_PAIR:
        harness.run(store, asset, PAIR)
    return store, harness.run(store, ASSET, PAIR)


@pytest.fixture
def store(made, tmp_path):
    """A copy of it, to be changed at will."""
    return DataStore(shutil.copytree(made[0].root, tmp_path / "study"))


def exemplars(store):
    return store.open(ASSET, PAIR).table("exemplars.parquet")


def by_keras(store, location, left_out=()):
    """Scores of a location, layer by layer: by the mean of all views, then without each of some."""
    codes, rows = studies.codes_of(CITY)
    features = codes[rows["location_id"].tolist().index(location["location_id"])]
    path = store.open("trained_model", PAIR).file(f"fold_{location['fold']}.keras")
    profile = load_study(store.study_file).training.resolve()
    loaded = network.load_network(path, profile, studies.WIDTH)
    found = []
    for view in ("", *left_out):
        x = features[None].astype(np.float32)
        kept = [k for k, name in enumerate("abcd") if name != view]
        for layer in loaded.layers[1:]:
            averages = layer.name == "mean_of_views"
            x = np.asarray(x)[:, kept].mean(axis=1) if averages else layer(x, training=False)
        found.append(float(np.asarray(x)[0, 0]))
    return found


def test_influences_are_those_of_networks_run_by_hand(made):
    store, result = made
    table = store.open(ASSET, PAIR).table()
    assert harness.failed(result) <= {"no_location_carries_an_area"}
    assert len(table) == 150
    for _, row in table.iloc[::50].iterrows():
        h, *without = by_keras(store, row, "abcd")
        assert row["h"] == pytest.approx(h, abs=1e-4)
        expected = [h - each for each in without]
        np.testing.assert_allclose(row[list(INFLUENCES)].astype(float), expected, atol=1e-4)


def test_locations_influence_the_scores_that_areas_have(made):
    store, _ = made
    table = store.open(ASSET, PAIR).table()
    predicted = store.open("location_predictions", PAIR).table()
    pd.testing.assert_frame_equal(table[["location_id", "h"]], predicted[["location_id", "h"]])
    expected = deleted_and_averaged_again(table)
    np.testing.assert_allclose(table["location_influence"], expected, atol=1e-12)
    assert set(table["n_locations"]) == {3}


@pytest.mark.parametrize("name", EXPLANATION_FILES)
def test_every_published_table_has_its_schema(made, name):
    file = made[0].open(ASSET, PAIR).file(f"{name}.parquet")
    harness.assert_schema(file, EXPLANATION_FILES[name])


def test_exemplars_are_the_extremes_with_their_pictures(made):
    store, _ = made
    table, shown = store.open(ASSET, PAIR).table(), exemplars(store)
    assert shown["direction"].tolist() == ["up"] * 6 + ["down"] * 6
    assert shown["influence"].iloc[0] == table[list(INFLUENCES)].max(axis=None)
    assert shown["influence"].iloc[6] == table[list(INFLUENCES)].min(axis=None)
    assert not shown.duplicated(["direction", "area"]).any()
    assert shown["why_not_shown"].isna().all()
    assert shown["thumbnail"].map(lambda data: data[:3] == b"\xff\xd8\xff").all()
    assert shown["thumbnail"].is_unique


def test_what_the_ui_shows(made):
    shown = harness.metadata(made[1], ASSET)
    assert (shown["n_explained"], shown["n_lsoas"], shown["n_thumbnails"]) == (150, 50, 12)
    assert [row.data["view"] for row in shown["views"].records] == list("abcd")
    assert len(shown["exemplars"].records) == 12
    assert "do not add up" in shown["reading"]


def test_a_second_run_skips_and_one_made_anew_has_the_same_bytes(store):
    before = store.open(ASSET, PAIR).manifest
    assert harness.metadata(harness.run(store, ASSET, PAIR), ASSET)["skipped"]
    shutil.rmtree(store.folder(ASSET, PAIR))
    harness.run(store, ASSET, PAIR)
    assert store.open(ASSET, PAIR).manifest.files == before.files


def test_lineage_compares_all_that_was_read(store):
    study = load_study(store.study_file)

    def read():
        found = Lineage(store, study).disagreements(ASSET, PAIR)
        return {each.read for each in found if each.label == f"{ASSET}[{PAIR}]"}

    assert set(store.manifest(ASSET, PAIR).recipe.inputs) == {
        *OF_PAIR,
        "hdf5_shards",
        "licences",
        "street_images",
    }
    assert read() == set()
    explained_study.license_all(store, "own", None)
    codes, rows = studies.codes_of(CITY)
    studies.publish_shards(store, CITY, codes + 1, rows["location_id"].tolist())
    assert read() == {"locations[alpha]", "hdf5_shards[alpha]"}


# -- images ----------------------------------------------------------------------------------------


def test_without_the_settings_word_no_image_is_read_nor_its_listing(store):
    text = store.study_file.read_text(encoding="utf-8")
    store.study_file.write_text(text.replace("show_images = true", ""), encoding="utf-8")
    shutil.rmtree(store.folder("street_images", CITY))
    shutil.rmtree(store.inputs("images"))
    harness.run(store, ASSET, PAIR)
    assert exemplars(store)["thumbnail"].isna().all()
    assert exemplars(store)["why_not_shown"].str.contains("show_images").all()
    assert "street_images" not in store.manifest(ASSET, PAIR).recipe.inputs


def test_other_terms_take_the_pictures_away(store):
    explained_study.license_all(store, "Google", None)
    harness.run(store, ASSET, PAIR)
    assert exemplars(store)["thumbnail"].isna().all()
    assert exemplars(store)["why_not_shown"].str.contains("google_street_view").all()
    assert exemplars(store)["conditions"].str.contains("terms").all()


def test_an_image_that_was_put_in_the_place_of_another_is_not_shown(store):
    shown = exemplars(store)
    in_file = shown[~shown["thumbnail"].isna()].iloc[0]
    name = f"{in_file['location_id']}_{in_file['view']}.png"
    path = store.inputs("images", CITY, name)
    if not path.exists():  # it lies in the archive
        (store.inputs("images", CITY) / explained_study.ARCHIVED).unlink()
    path.write_bytes(explained_study.image("Aloc00000", "a") + b" ")
    explained_study.list_again(store)
    harness.run(store, ASSET, PAIR)
    assert "changed since" in exemplars(store)["why_not_shown"][0]
    assert exemplars(store)["thumbnail"][0] is None


def test_codes_that_were_made_again_since_are_of_unknown_images(store):
    """The new bucket's hashes are of other images than the shards' codes."""
    key = "alpha/000"
    with_key = exemplars(store)["location_id"].map(
        lambda i: explained_study.bucket_of(CITY, i, explained_study.N_BUCKETS) == key
    )
    assert with_key.any()
    harness.publish_again(store, "image_codes", key)
    store.manifest_file(ASSET, PAIR).unlink()
    harness.run(store, ASSET, PAIR)
    assert exemplars(store)["thumbnail"].isna().tolist() == with_key.tolist()


# -- what cannot be explained ----------------------------------------------------------------------


def test_other_networks_than_predicted_publish_nothing(store):
    """As where a training was run again and the predictions were not."""
    before = store.manifest(ASSET, PAIR)
    h = store.open("location_predictions", PAIR).table()["h"].to_numpy()
    harness.publish_again(store, "location_predictions", PAIR, changes={"h": np.roll(h, 1)})
    result = harness.run(store, ASSET, PAIR, fails=True)
    assert not harness.checks(result)["explains_the_predictions"].passed
    assert "location_predictions" in harness.failure(result)
    assert store.manifest(ASSET, PAIR) == before


def test_predictions_without_codes_publish_nothing(store):
    codes, rows = studies.codes_of(CITY)
    studies.publish_shards(store, CITY, codes[5:], rows["location_id"].tolist()[5:])
    result = harness.run(store, ASSET, PAIR, fails=True)
    assert "5 of 150" in harness.failure(result)


def test_a_fold_without_its_network_is_named(store):
    folds = store.open("location_predictions", PAIR).table()["fold"]
    harness.publish_again(store, "location_predictions", PAIR, changes={"fold": folds + 1})
    result = harness.run(store, ASSET, PAIR, fails=True)
    assert "fold_5.keras" in harness.failure(result)


def test_networks_without_a_mean_of_views_are_unavailable(store, monkeypatch):
    monkeypatch.setattr(pooling, "split_at_views", lambda _: None)
    store.manifest_file(ASSET, PAIR).unlink()
    result = harness.run(store, ASSET, PAIR)
    assert harness.failed(result) == {"available"}
    assert store.manifest(ASSET, PAIR).unavailable == explanations._NO_MEAN
    assert store.open(ASSET, PAIR).table().empty


@pytest.mark.parametrize("pair", ["alpha/mean_income", "hamlet/crime"])
def test_a_pair_without_networks_has_empty_tables(store, pair):
    for asset in (*OF_PAIR, ASSET):
        result = harness.run(store, asset, pair)
    assert harness.failed(result) == {"available"}
    artefact = store.open(ASSET, pair)
    assert artefact.manifest.unavailable == store.manifest("trained_model", pair).unavailable
    for name, fields in EXPLANATION_FILES.items():
        harness.assert_schema(artefact.file(f"{name}.parquet"), fields)
        assert artefact.table(f"{name}.parquet").empty


# -- how it runs -----------------------------------------------------------------------------------


def test_codes_need_not_fit_the_budget(made, tmp_path, monkeypatch):
    """With room for no code at all they are read from disk, with the same result."""
    store = DataStore(shutil.copytree(made[0].root, tmp_path / "study"))
    store.manifest_file(ASSET, PAIR).unlink()
    opened = explanations.open_codes
    monkeypatch.setattr(explanations, "open_codes", lambda shards, _: opened(shards, 0))
    harness.run(store, ASSET, PAIR)
    before, after = (each.open(ASSET, PAIR).table() for each in (made[0], store))
    pd.testing.assert_frame_equal(before, after)


def test_it_leases_one_gpu_as_training_does(store, monkeypatch):
    asked = []
    lease = GpuResource.lease

    def noted(self, context, **options):
        asked.append(options)
        return lease(self, context, **options)

    monkeypatch.setattr(GpuResource, "lease", noted)
    harness.run(store, ASSET, PAIR)  # skipped
    assert asked == []
    store.manifest_file(ASSET, PAIR).unlink()
    harness.run(store, ASSET, PAIR)
    assert asked == [{"most_gpus": 1}]


@pytest.mark.slow  # without it, `test_influence` asks the same of one network
def test_networks_out_of_joint_ones_are_explained(tmp_path):
    toml = explained_study.SHOWS.replace("[training]", "[training]\njoint = true")
    toml = toml.replace("k = 5", "k = 2").replace("epochs = 3", "epochs = 1")
    store = explained_study.write(tmp_path, toml=toml)
    harness.run(store, "joint_model", CITY)
    for asset in OF_PAIR:
        harness.run(store, asset, PAIR)
    result = harness.run(store, ASSET, PAIR)
    assert harness.checks(result)["explains_the_predictions"].passed
    row = store.open(ASSET, PAIR).table().iloc[11]
    h, without_c = by_keras(store, row, "c")
    assert row["influence_c"] == pytest.approx(h - without_c, abs=1e-4)
