"""Real weights see real things: classes of well-known photographs, and streets that are like each
other, from panoramas and flat files through views and codes to shards.

Looked at by eye: the contact sheet. Of a lane of low houses the four nearest are that lane, and of
a street in a ride the nearest is the next one of the ride.
"""

from pathlib import Path

import numpy as np
import pytest

from streetineq_assets.codes import contact_sheet
from streetineq_assets.codes.cutting import Cut, cut_view, decode_panorama
from streetineq_assets.codes.encoders.loading import load_encoder
from streetineq_assets.codes.neighbours import nearest_views
from streetineq_assets.codes.preprocess import decode, rgb_view
from streetineq_assets.codes.shards import ShardReader
from streetineq_assets.devices import Device
from streetineq_assets.encoder_settings import KerasFileEncoder
from streetineq_tests.harness import failed
from streetineq_tests.real_weights.photographed_streets import CREDITS, Streets

pytestmark = pytest.mark.slow

# Of ImageNet's classes, numbered from 0.
SEEN = {
    "coffee.png": ({967: "espresso"}, 0.9),
    "camera.png": ({872: "tripod"}, 0.9),
    "chelsea.png": ({281: "tabby", 282: "tiger cat", 285: "Egyptian cat"}, 0.8),
    "motorcycle_left.png": ({665: "moped", 670: "motor scooter"}, 0.8),
    "rocket.jpg": ({657: "missile"}, 0.25),
}


def load(weights, layer):
    settings = KerasFileEncoder(family="keras_file", weights=weights.name, layer=layer)
    return load_encoder(settings, root=weights.parent, seed=0, device=Device("cpu"))


@pytest.fixture(scope="module")
def classes(weights):
    """Probabilities (n, 1000) of `SEEN`, by the platform's own preprocessing and encoder."""
    import skimage

    encoder = load(weights, "_fc")
    batch = np.zeros((encoder.batch_size, *encoder.input_shape), np.float32)
    for place, name in enumerate(SEEN):
        file = Path(skimage.__file__).parent / "data" / name
        preprocessing = encoder.preprocessing
        batch[place] = preprocessing.prepare(decode(file, least_px=preprocessing.least_px))
    return dict(zip(SEEN, np.asarray(encoder.encode(batch)), strict=False))


@pytest.mark.parametrize("name", SEEN)
def test_what_a_photograph_shows_is_its_class(classes, name):
    expected, least = SEEN[name]
    found = classes[name]
    assert found.argmax() in expected
    assert found[list(expected)].sum() > least


# -- streets ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def streets(tmp_path_factory, shared_data, weights):
    """The study of real photographs, from listing to shards, and the sheet that was drawn."""
    platform = Streets(tmp_path_factory.mktemp("streets"))
    platform.write(shared_data / "street_images", weights)
    shown = []
    original = contact_sheet.show_pictures

    def show(*args):
        shown.append(original(*args))
        return shown[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(contact_sheet, "show_pictures", show)
        platform.results = platform.run_all()
    (platform.sheet,) = shown
    return platform


@pytest.fixture(scope="module")
def shards(streets):
    artefact = streets.store.open("hdf5_shards", "alpha")
    with ShardReader([artefact.file("shard_000.h5")], artefact.table("rows.parquet")) as reader:
        yield reader


@pytest.fixture(scope="module")
def codes(shards):
    """Location to (4, 1280) float32."""
    read = shards.read().astype(np.float32)
    return dict(zip(shards.location_ids, read, strict=True))


def street_of(location_id):
    return location_id.rstrip("0123456789")


@pytest.fixture(scope="module")
def cosines(codes):
    """Cosines (n, n) of the raw codes of all views, the street and the location of each."""
    values = np.concatenate(list(codes.values()))
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    locations = np.repeat(list(codes), 4)
    return values @ values.T, np.array([street_of(each) for each in locations]), locations


def test_all_places_with_four_views_have_codes(streets, codes):
    counts = {street: sum(street_of(i) == street for i in codes) for street in CREDITS}
    assert counts == {"lund": 7, "berlin": 0, "ride": 6, "castle": 1, "hill": 1}
    wrong = {name: failed(result) for name, result in streets.results.items()}
    assert wrong == {
        "street_images": {"locations_complete"},  # Berlin's three photographs
        "locations": set(),
        "image_codes": {"complete", "weights_known"},  # study.toml names no sha256
        "hdf5_shards": {"complete"},
    }


def test_codes_are_those_of_real_weights_and_nothing_is_called_synthetic(shards):
    assert not shards.attributes["synthetic"]
    identity = shards.encoder
    assert (identity.family, identity.backbone) == ("keras_file", "efficientnet_lite0")
    assert (identity.layer, identity.width, identity.weights) == ("features", 1280, "file")
    assert identity.licence == "Apache-2.0"


def test_a_code_is_the_networks_own_of_the_picture(streets, shared_data, weights, codes):
    """By Keras alone, of a flat photograph and of a view that is cut of a panorama."""
    import keras

    network = keras.saving.load_model(weights, compile=False)
    features = keras.Model(network.input, network.get_layer("features").output)
    flat = next(iter(sorted((shared_data / "street_images" / "opensfm" / "lund").glob("*.jpg"))))
    listed = streets.store.open("street_images", "alpha").table()
    (row,) = listed.query("location_id == 'ride0' and view == 'c'").itertuples()
    data = (streets.images / row.path).read_bytes()
    cut = Cut(row.compass_deg, 0.0, 0.0, 180.0, 90.0, (640, 400))
    view = cut_view(decode_panorama(data, cut.fov, cut.size), cut)
    pictures = [rgb_view(decode(each, least_px=None), side=224) for each in (flat, view)]
    expected = features.predict(np.array(pictures), verbose=0)
    for found, own in zip((codes["lund0"][0], codes["ride0"][2]), expected, strict=True):
        assert np.corrcoef(found, own)[0, 1] > 0.999


def test_two_photographs_of_one_street_are_nearer_than_two_of_different_streets(cosines):
    """Of one place to the next, so that no street is alike by its one location alone."""
    values, streets, locations = cosines
    elsewhere = locations[:, None] != locations
    same = values[(streets[:, None] == streets) & elsewhere & (streets == "lund")]
    other = values[streets[:, None] != streets]
    assert np.median(same) > np.quantile(other, 0.9) > np.median(other) + 0.1
    wins = (same[:, None] > np.random.default_rng(0).choice(other, 2000)).mean()
    assert wins > 0.9


def test_the_nearest_photograph_is_of_the_same_street(cosines):
    values, streets, _ = cosines
    nearest = np.where(np.eye(len(values), dtype=bool), -1, values).argmax(axis=1)
    right = {each: (streets[nearest] == each)[streets == each].mean() for each in ("lund", "ride")}
    assert right["lund"] == 1.0
    assert right["ride"] > 0.9


def test_the_nearest_views_of_the_lane_are_the_lane(shards, streets):
    repeated = streets.store.open("hdf5_shards", "alpha").table("repeated_images.parquet")
    found = nearest_views(shards, repeated, n_queries=15)
    street = found["location_id"].map(street_of)
    of_query = street.where(found["rank"] == 0).ffill()
    first = found["rank"] == 1
    assert (street == of_query)[first & (of_query == "lund")].mean() >= 0.85
    assert (found["cosine"] <= 1).all()


def test_the_contact_sheet_shows_every_picture_with_its_credit(streets):
    sheet = streets.sheet
    assert sheet["thumbnail"].notna().all()
    for view in sheet.itertuples():
        assert (view.provider, view.licence, view.creator) == tuple(
            CREDITS[street_of(view.location_id)].split(",")
        )
    artefact = streets.store.open("hdf5_shards", "alpha")
    assert 20_000 < artefact.manifest.files["contact_sheet.jpg"].bytes < 100_000
