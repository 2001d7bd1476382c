"""Networks of imported codes are those of the same codes made of images, to the last bit."""

import shutil

import numpy as np
import pytest

from streetineq_assets.codes import assets as codes
from streetineq_assets.codes.shards import ShardReader
from streetineq_assets.models.bundles.bundle import network_bytes, open_networks
from streetineq_assets.store import DataStore
from streetineq_assets.study import load_study
from streetineq_assets.tables import read
from streetineq_tests import studies
from streetineq_tests.codes.fakes import WIDTH, fake_encoder
from streetineq_tests.codes.importing.study_with_codes import (
    codes_of_buckets,
    state_encoder,
    without_images,
    write_codes,
)
from streetineq_tests.harness import run
from streetineq_tests.images.pictures import views_of, write_files

CITY, PAIR = "alpha", "alpha/crime"
BY_PAIR = ("trained_model", "location_predictions", "lsoa_predictions")
KEYS = ("alpha/000", "alpha/001")
TOML = studies.WITH_CODES.replace("[training]", '[encoder]\nweights = "random"\n\n[training]', 1)


def write_study(root):
    """The study with codes and its official parts; its images and codes are still to come."""
    store = studies.write_with_codes(root, toml=TOML)
    ids = studies.codes_of(CITY)[1]["location_id"].tolist()
    write_files(store.inputs("images", CITY), views_of(ids))
    text = "\n".join(["location_id,postcode", *(f"{each},AB1 1CD" for each in ids)])
    write_files(store.inputs("locations"), {f"{CITY}.csv": text.encode()})
    shutil.rmtree(store.assets / "hdf5_shards")
    return store


def run_city(store):
    """From listing to predictions of areas."""
    run(store, "street_images", CITY)
    run(store, "image_codes", keys=KEYS)
    run(store, "hdf5_shards", CITY)
    run(store, "area_folds", CITY)
    for asset in BY_PAIR:
        run(store, asset, PAIR)


@pytest.fixture(scope="module")
def studies_of_both(tmp_path_factory):
    """One that encodes its images, and one that brings the codes of these."""
    root = tmp_path_factory.mktemp("same")
    store = write_study(root / "images")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(codes, "kept_encoder", lambda *_, **__: fake_encoder())
        run_city(store)
    shutil.copytree(store.root, root / "codes")
    brought = DataStore(root / "codes")
    without_images(brought, ("street_images", "image_codes", "hdf5_shards", "area_folds", *BY_PAIR))
    state_encoder(brought, WIDTH)
    write_codes(brought, CITY, codes_of_buckets(store, CITY))
    run_city(brought)
    return store, brought


def features(store):
    shards = store.open("hdf5_shards", CITY)
    files = [shards.file(name) for name in sorted(shards.manifest.files) if name.endswith(".h5")]
    with ShardReader(files, shards.table("rows.parquet")) as reader:
        return reader.location_ids.tolist(), reader.read()


def networks(store):
    profile = load_study(store.study_file).training.resolve()
    return open_networks(network_bytes(store.open("trained_model", PAIR)), profile, WIDTH)


@pytest.mark.slow
def test_shards_hold_the_same_rows(studies_of_both):
    (ids, made), (ids_of_brought, brought) = map(features, studies_of_both)
    assert ids_of_brought == ids
    assert brought.dtype == made.dtype
    np.testing.assert_array_equal(brought, made)


@pytest.mark.slow
def test_networks_have_the_same_weights(studies_of_both):
    made, brought = map(networks, studies_of_both)
    assert len(made) == 5
    assert brought.keys() == made.keys()
    for fold, network in made.items():
        for mine, theirs in zip(network.get_weights(), brought[fold].get_weights(), strict=True):
            np.testing.assert_array_equal(theirs, mine)


@pytest.mark.slow
@pytest.mark.parametrize("asset", BY_PAIR[1:])
def test_predictions_are_the_same(studies_of_both, asset):
    made, brought = (
        read(each.open(asset, PAIR).file(f"{asset}.parquet")) for each in studies_of_both
    )
    assert len(made) > 0
    assert brought.equals(made)
