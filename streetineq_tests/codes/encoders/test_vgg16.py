"""VGG16 to fc6 before its ReLU, against NumPy, and every way in which weights can be wrong."""

import hashlib
import math

import h5py
import numpy as np
import pytest

from streetineq_assets.codes.encoders import vgg16
from streetineq_assets.codes.encoders.vgg16 import (
    build_encoder,
    random_weights,
    read_weights,
    weight_shapes,
)
from streetineq_assets.errors import SourceError, SourceMissingError
from streetineq_tests.codes.encoders.vgg16_by_numpy import fc6_by_numpy

SHAPES = {"block1_conv1": ((3, 3, 3, 2), (2,)), "fc1": ((8, 5), (5,))}


@pytest.fixture(scope="module")
def weights():
    """All 119 million of seed 7, made once."""
    return dict(random_weights(7))


@pytest.fixture(scope="module")
def encoder(weights):
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(vgg16, "random_weights", lambda seed: {7: weights}[seed].items())
        yield build_encoder("random", seed=7)


def test_forward_pass_is_that_of_numpy(encoder, weights):
    image = np.random.default_rng(0).uniform(-120, 150, (224, 224, 3)).astype(np.float32)
    found = np.asarray(encoder(image[None]))[0]
    expected = fc6_by_numpy(image, weights)
    assert found.shape == (4096,)
    assert np.abs(found - expected).max() < 1e-3 * np.abs(expected).max()
    assert (found < 0).mean() > 0.3, "a ReLU was applied"


def test_random_weights_are_he_normal(weights):
    for name, (whole, bias) in weights.items():
        assert not bias.any()
        sd = math.sqrt(2 / math.prod(whole.shape[:-1]))
        kernel = whole.reshape(-1, whole.shape[-1])[:4096]  # a sixth of fc1, nearly all of others
        assert kernel.std() == pytest.approx(sd, rel=6 / math.sqrt(2 * kernel.size)), name
        assert abs(kernel.mean()) < 5 * sd / math.sqrt(kernel.size), name
        tails = (np.abs(kernel) > 2 * sd).mean()  # Gaussian, not cut off at two deviations
        assert tails == pytest.approx(0.0455, abs=6 * math.sqrt(0.0455 / kernel.size)), name


def test_random_weights_are_the_same_everywhere():
    """The first numbers of NumPy's PCG64 from the seeds [7, 0], which NumPy keeps stable."""
    name, (kernel, _) = next(random_weights(7))
    generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence([7, 0])))
    expected = generator.standard_normal((3, 3, 3, 64), dtype=np.float32) * math.sqrt(2 / 27)
    assert name == "block1_conv1"
    np.testing.assert_allclose(kernel, expected, rtol=1e-6)
    assert not np.array_equal(kernel, next(random_weights(8))[1][0])


def test_published_number_of_parameters(encoder):
    # VGG16 has 138,357,544; fc7 has 4096 * 4096 + 4096 and fc8 4096 * 1000 + 1000 of them.
    assert encoder.count_params() == 138_357_544 - 16_781_312 - 4_097_000


def write_old_layout(path, arrays, *, suffix=""):
    """As Keras 1 and 2 wrote weights: a group per layer that names its datasets."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = np.array([name.encode() for name in arrays])
        for name, (kernel, bias) in arrays.items():
            group = file.create_group(name)
            names = [f"{name}{suffix}_W_1:0", f"{name}{suffix}_b_1:0"]
            group.attrs["weight_names"] = np.array([each.encode() for each in names])
            for each, value in zip(names, (kernel, bias), strict=True):
                group.create_dataset(each, data=value)
        file.create_group("block1_pool").attrs["weight_names"] = np.array([], dtype="S1")
    return path


def write_new_layout(path, arrays):
    """As Keras 3 writes `.weights.h5`: layers numbered by kind, their names in attributes."""
    with h5py.File(path, "w") as file:
        for number, (name, values) in enumerate(arrays.items()):
            group = file.create_group(f"layers/layer_{number}/vars")
            group.attrs["name"] = name
            for place, value in enumerate(values):
                group.create_dataset(str(place), data=value)
    return path


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(vgg16, "weight_shapes", lambda: SHAPES)
    generator = np.random.default_rng(0)
    return {name: tuple(map(generator.random, shapes)) for name, shapes in SHAPES.items()}


class TestWeightFiles:
    @pytest.mark.parametrize("write", [write_old_layout, write_new_layout])
    def test_both_layouts_are_read(self, tmp_path, small, write):
        found = dict(read_weights(write(tmp_path / "w.h5", small)))
        for name, arrays in small.items():
            for mine, theirs in zip(found[name], arrays, strict=True):
                assert mine.dtype == np.float32
                np.testing.assert_allclose(mine, theirs, rtol=1e-6)

    @pytest.mark.filterwarnings("ignore:__array__ implementation")
    def test_a_saved_model_is_read(self, tmp_path, small):
        import keras

        inputs = keras.Input((4, 4, 3))
        x = keras.layers.Conv2D(2, 3, name="block1_conv1")(inputs)
        x = keras.layers.Dense(5, name="fc1")(keras.layers.Flatten()(x))
        model = keras.Model(inputs, x)
        model.save(tmp_path / "model.h5")
        found = dict(read_weights(tmp_path / "model.h5"))
        for name in SHAPES:
            for mine, theirs in zip(found[name], model.get_layer(name).get_weights(), strict=True):
                np.testing.assert_array_equal(mine, theirs)

    def test_a_missing_file_says_its_name_its_size_and_where_it_goes(self, tmp_path):
        path = tmp_path / "inputs" / "w.h5"
        with pytest.raises(SourceMissingError) as raised:
            build_encoder(path)
        for part in (str(path), "vgg16_weights_tf_dim_ordering_tf_kernels.h5", "553 MB"):
            assert part in str(raised.value)

    def test_weights_without_the_top_layers(self, tmp_path, small):
        del small["fc1"]
        path = write_old_layout(tmp_path / "notop.h5", small)
        with pytest.raises(SourceError, match=r"notop\.h5.*fc1.*none"):
            list(read_weights(path))

    def test_another_architecture(self, tmp_path, small):
        small["block1_conv1"] = (np.zeros((7, 7, 3, 2)), np.zeros(2))
        with pytest.raises(SourceError, match=r"block1_conv1 .*\(3, 3, 3, 2\).*\(7, 7, 3, 2\)"):
            list(read_weights(write_old_layout(tmp_path / "w.h5", small)))

    def test_a_file_that_is_no_hdf5(self, tmp_path):
        (tmp_path / "w.h5").write_bytes(b"<html>")
        with pytest.raises(SourceError, match=r"w\.h5.*HDF5"):
            list(read_weights(tmp_path / "w.h5"))

    def test_without_a_network_imagenet_says_where_to_put_the_file(self, monkeypatch, tmp_path):
        import keras

        def offline(*_, **__):
            raise Exception("URL fetch failure")

        monkeypatch.setattr(keras.utils, "get_file", offline)
        monkeypatch.setenv("KERAS_HOME", str(tmp_path))
        with pytest.raises(SourceMissingError) as raised:
            build_encoder("imagenet")
        for part in (vgg16.WEIGHT_FILE, "553 MB", str(tmp_path / "models")):
            assert part in str(raised.value)

    def test_the_published_file_is_known_by_its_md5(self, tmp_path, monkeypatch):
        (tmp_path / "w.h5").write_bytes(b"weights")
        assert not vgg16.is_published_file(tmp_path / "w.h5")
        monkeypatch.setattr(vgg16, "WEIGHT_FILE_MD5", hashlib.md5(b"weights").hexdigest())
        assert vgg16.is_published_file(tmp_path / "w.h5")


def test_a_whole_weight_file_is_read_layer_by_layer(tmp_path):
    """Keras's own layout, names and sizes, with one number per layer, which takes no space."""
    path = tmp_path / vgg16.WEIGHT_FILE
    numbers = {name: number / 100 for number, name in enumerate(weight_shapes(), start=1)}
    with h5py.File(path, "w") as file:
        for name, shapes in weight_shapes().items():
            names = [f"{name}_W_1:0", f"{name}_b_1:0"]
            group = file.create_group(name)
            group.attrs["weight_names"] = np.array([each.encode() for each in names])
            for each, shape, sign in zip(names, shapes, (1, -1), strict=True):
                group.create_dataset(each, shape, np.float32, fillvalue=sign * numbers[name])
        # What the network here does without.
        file.create_group("predictions").attrs["weight_names"] = np.array([], dtype="S1")
    loaded = build_encoder(path)
    for name, number in numbers.items():
        kernel, bias = loaded.get_layer(name).get_weights()
        np.testing.assert_array_equal(np.unique(kernel), np.float32(number))
        np.testing.assert_array_equal(np.unique(bias), np.float32(-number))


def test_shapes_are_those_of_the_paper():
    shapes = weight_shapes()
    assert len(shapes) == 14
    assert shapes["block5_conv3"] == ((3, 3, 512, 512), (512,))
    assert shapes["fc1"] == ((25_088, 4096), (4096,))
