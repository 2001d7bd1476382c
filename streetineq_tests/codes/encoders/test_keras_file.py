"""A network in a `.keras` file: its layer's output as the code, and what is refused of a file."""

import json
import zipfile

import numpy as np
import pytest
from PIL import Image

from streetineq_assets.codes.encoders import keras_file
from streetineq_assets.codes.encoders.loading import load_encoder, weights_input
from streetineq_assets.codes.preprocess import decode, rgb_view
from streetineq_assets.devices import Device, arithmetic
from streetineq_assets.digests import digest_file
from streetineq_assets.encoder_settings import KerasFileEncoder
from streetineq_assets.errors import SourceError, SourceMissingError, StudyError

CPU = Device(kind="cpu")
keras = pytest.importorskip("keras")


def network(side=32, *, width=5):
    """Rescaling, a map of rows and columns (`map`), its mean (`codes`), a top (`classes`)."""
    inputs = keras.Input((side, side, 3))
    x = keras.layers.Rescaling(1 / 255, name="rescaling")(inputs)
    x = keras.layers.Conv2D(width, 3, strides=2, activation="relu", name="map")(x)
    x = keras.layers.GlobalAveragePooling2D(name="codes")(x)
    x = keras.layers.Dropout(0.5, name="dropout")(x)
    return keras.Model(inputs, keras.layers.Dense(3, name="classes")(x), name="small")


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    keras.utils.set_random_seed(3)
    model = network()
    root = tmp_path_factory.mktemp("study")
    model.save(root / "small.keras")
    return root, model


def settings(layer="codes", weights="small.keras", **others):
    return KerasFileEncoder(family="keras_file", weights=weights, layer=layer, **others)


def load(root, *args, **others):
    return load_encoder(settings(*args, **others), root=root, seed=0, device=CPU)


def batch(size, side=32):
    return np.random.default_rng(0).uniform(0, 255, (size, side, side, 3)).astype(np.float32)


@pytest.mark.parametrize("layer", ["codes", "map", "classes"])
def test_the_code_is_the_layers_output_averaged_over_rows_and_columns(saved, layer):
    root, model = saved
    encoder = load(root, layer, batch_size=4)
    images = batch(4)
    expected = keras.Model(model.inputs[0], model.get_layer(layer).output)(images).numpy()
    expected = expected.mean(axis=(1, 2)) if layer == "map" else expected
    assert encoder.width == expected.shape[-1]
    np.testing.assert_allclose(np.asarray(encoder.encode(images)), expected, rtol=1e-4, atol=1e-5)


def test_it_takes_red_green_blue_of_its_own_size(saved):
    root, _ = saved
    encoder = load(root)
    assert encoder.input_shape == (32, 32, 3)
    picture = Image.fromarray(batch(1, 90)[0].astype(np.uint8)).resize((120, 90))
    taken = encoder.preprocessing.prepare(decode(picture, least_px=None))
    assert taken.shape == (32, 32, 3)
    assert taken.dtype == np.float32
    np.testing.assert_array_equal(taken, rgb_view(decode(picture, least_px=None), side=32))


def test_its_identity_is_the_files_and_the_layers(saved):
    root, _ = saved
    identity = load(root, licence="Apache-2.0").identity
    sha256 = digest_file(root / "small.keras")
    assert (identity.family, identity.backbone, identity.layer) == ("keras_file", "small", "codes")
    assert (identity.input_px, identity.width) == (32, 5)
    assert (identity.weights, identity.weights_sha256) == ("file", sha256)
    assert identity.licence == "Apache-2.0"
    assert weights_input(settings(), root, 0) == sha256
    assert list(identity.differences(load(root, "map").identity)) == [("layer", "codes", "map")]


def test_mixed_precision_is_the_studys_not_the_files(saved):
    root, _ = saved
    with arithmetic(mixed=True):
        mixed = keras_file.build(settings(mixed_precision=True), root, 0).forward
    exact = keras_file.build(settings(), root, 0).forward
    images = batch(4)
    assert (mixed(images).dtype, exact(images).dtype) == ("float16", "float32")
    np.testing.assert_allclose(mixed(images), exact(images), rtol=0.02, atol=1e-3)


# -- refused ---------------------------------------------------------------------------------------


def test_a_file_that_is_missing_or_another(saved, tmp_path):
    root, _ = saved
    with pytest.raises(SourceMissingError, match=r"none\.keras is missing: put the network there"):
        load(root, weights="none.keras")
    with pytest.raises(SourceError, match=r"study\.toml expects f{64}"):
        load(root, weights_sha256="f" * 64)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("text.keras", b"no network"),
        ("empty.keras", b""),
        ("cut.keras", None),
        ("small.h5", "whole"),
        ("list.keras", [1, 2]),
        ("other.keras", {"config": {"layers": 3}}),
    ],
    ids=["text", "empty", "cut off", "another ending", "a list", "no layers"],
)
def test_what_keras_cannot_open(saved, tmp_path, name, content):
    whole = (saved[0] / "small.keras").read_bytes()
    if isinstance(content, list | dict):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr("config.json", json.dumps(content))
    else:
        data = {None: whole[: len(whole) // 2], "whole": whole}.get(content, content)
        (tmp_path / name).write_bytes(data)
    with pytest.raises(SourceError, match=r"is no network that Keras can open .*\.keras, as"):
        load(tmp_path, weights=name)


@keras.saving.register_keras_serializable(package="theirs")
class Foreign(keras.layers.Layer):
    def call(self, x):
        return x


def save(root, layer, side=32):
    inputs = keras.Input((side, side, 3))
    x = layer(inputs)
    x = keras.layers.Conv2D(2, 3, name="map")(x)
    keras.Model(inputs, x).save(root / "small.keras")


@pytest.mark.parametrize(
    ("layer", "named"),
    [
        (keras.layers.Lambda(lambda x: x / 255), "Lambda, __lambda__"),
        (Foreign(), "Foreign"),
        (keras.Sequential([keras.layers.Activation("relu"), Foreign()]), "Foreign"),
    ],
    ids=["lambda", "a layer of others", "within another"],
)
def test_layers_that_run_code_are_named_and_never_opened(tmp_path, monkeypatch, layer, named):
    save(tmp_path, layer)
    monkeypatch.setattr(keras.saving, "load_model", lambda *_, **__: pytest.fail("opened"))
    with pytest.raises(SourceError, match=f"has {named}, which would run code"):
        load(tmp_path, "map")


def test_layers_of_keras_in_another_network_are_no_fault(tmp_path):
    save(tmp_path, keras.Sequential([keras.layers.Rescaling(1 / 255), keras.layers.ReLU()]))
    assert load(tmp_path, "map").width == 2


def test_a_sequence_of_layers_is_a_network_too(tmp_path):
    layers = [keras.Input((32, 32, 3)), keras.layers.Conv2D(4, 3, name="map")]
    keras.Sequential(layers).save(tmp_path / "small.keras")
    assert load(tmp_path, "map").width == 4


def two_inputs():
    one, other = keras.Input((32, 32, 3)), keras.Input((32, 32, 3))
    return keras.Model([one, other], keras.layers.Add(name="codes")([one, other]))


def of_shape(*shape):
    inputs = keras.Input(shape)
    return keras.Model(inputs, keras.layers.Activation("relu", name="codes")(inputs))


@pytest.mark.parametrize(
    ("make", "found"),
    [
        (two_inputs, r"\(32, 32, 3\) and \(32, 32, 3\)"),
        (lambda: of_shape(None, None, 3), r"\(None, None, 3\)"),
        (lambda: of_shape(32, 48, 3), r"\(32, 48, 3\)"),
        (lambda: of_shape(32, 32, 1), r"\(32, 32, 1\)"),
        (lambda: of_shape(9), r"\(9,\)"),
    ],
    ids=["two", "any size", "no square", "grey", "vectors"],
)
def test_networks_of_other_inputs(tmp_path, make, found):
    make().save(tmp_path / "small.keras")
    with pytest.raises(SourceError, match=f"takes {found}: expected one picture"):
        load(tmp_path)


def with_layer(case):
    inputs = keras.Input((32, 32, 3))
    if case == "twice":
        shared = keras.layers.Conv2D(3, 1, name="codes")
        outputs = shared(shared(inputs))
    else:
        outputs = keras.layers.Reshape((32, 96), name="codes")(inputs)
    return keras.Model(inputs, keras.layers.Flatten(name="end")(outputs))


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("twice", r"uses more than once.*its last are input_layer\w*, codes, end"),
        ("sequence", r"is \(32, 96\): expected a vector, or a map"),
    ],
)
def test_layers_whose_output_is_no_code(tmp_path, case, message):
    with_layer(case).save(tmp_path / "small.keras")
    with pytest.raises(StudyError, match=message):
        load(tmp_path)


def test_a_layer_that_the_network_does_not_have(saved):
    with pytest.raises(StudyError, match=r"'code', which .* does not have: did you mean codes\?"):
        load(saved[0], "code")
    with pytest.raises(StudyError, match=r"'fc6', which .*: its last are .*dropout, classes"):
        load(saved[0], "fc6")
