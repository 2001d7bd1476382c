"""The study's encoder: other backbones, checked weights, one or several devices."""

import hashlib
import json
import shutil
import subprocess
import sys
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

from streetineq_assets.codes.encoders import applications
from streetineq_assets.codes.encoders.checks import weights_known
from streetineq_assets.codes.encoders.loading import (
    kept_encoder,
    load_encoder,
    relative_change,
    release_encoder,
    weights_input,
)
from streetineq_assets.codes.preprocess import decode
from streetineq_assets.devices import Device
from streetineq_assets.encoder_settings import KerasEncoder as Settings
from streetineq_assets.errors import DeviceError, SourceError, SourceMissingError, StudyError
from streetineq_tests.codes.fakes import IDENTITY, TinyApplication

CPU = Device(kind="cpu")
SMALL = {
    "backbone": "mobilenet_v2",
    "layer": "global_average_pooling2d",
    "weights": "random",
    "batch_size": 5,
}


def images(count, seed=0):
    """Red, green, blue in 0..255."""
    return np.random.default_rng(seed).uniform(0, 255, (count, 224, 224, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A network of `keras.applications`."""
    return load_encoder(Settings(**SMALL), root=tmp_path_factory.mktemp("s"), seed=3, device=CPU)


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """Loads a network of a few layers with changed settings."""
    networks = {
        "tiny": (TinyApplication, TinyApplication.network),
        "other": (TinyApplication, partial(TinyApplication.network, filters=7)),
    }
    monkeypatch.setattr(applications, "find_application", networks.__getitem__)

    def load(seed=3, device=CPU, **changed):
        settings = Settings(**TinyApplication.SETTINGS | changed)
        return load_encoder(settings, root=tmp_path, seed=seed, device=device)

    return load


def test_another_backbone_has_its_own_width(small):
    assert small.width == 1280
    assert small.batch_size == 8, "a multiple of four views"
    codes = np.asarray(small.encode(images(8)))
    assert codes.shape == (8, 1280)
    assert codes.dtype == np.float32
    assert codes.std(axis=0).max() > 0
    assert small.identity.backbone == "mobilenet_v2"
    assert small.identity.width == 1280
    assert small.values["n_encoder_parameters"] > 2_000_000


def test_another_backbone_sees_red_green_blue_as_it_was_trained(small):
    """The same network, fed by Keras's own preprocessing, gives the same codes."""
    import keras

    batch = images(8)
    network = keras.applications.MobileNetV2(weights=None)
    part = keras.Model(network.input, network.layers[-2].output)
    _copy_random(network, seed=3)
    expected = np.asarray(part(keras.applications.mobilenet_v2.preprocess_input(batch.copy())))
    np.testing.assert_allclose(np.asarray(small.encode(batch)), expected, rtol=1e-3, atol=1e-3)


def _copy_random(network, seed):
    for number, layer in enumerate(network.layers):
        for variable in layer.weights:
            if len(variable.shape) > 1:
                shape = tuple(variable.shape)
                fan_in = np.prod(shape[:2] if "depthwise" in layer.name else shape[:-1])
                generator = np.random.default_rng([seed, number])
                normal = generator.standard_normal(shape, dtype=np.float32)
                variable.assign(normal * np.sqrt(2 / fan_in))


def test_a_layer_of_a_backbone_is_averaged_over_space(tiny):
    import keras

    encoder, batch = tiny(layer="patches"), images(8)
    assert encoder.width == 6
    network = TinyApplication.network()
    _copy_random(network, seed=3)
    patches = keras.Model(network.input, network.get_layer("patches").output)
    expected = np.asarray(patches(TinyApplication.preprocess_input(batch))).mean(axis=(1, 2))
    np.testing.assert_allclose(np.asarray(encoder.encode(batch)), expected, rtol=1e-4, atol=1e-5)


def test_a_backbone_of_another_input_size_gets_pictures_of_that_size(tmp_path, monkeypatch):
    """As inception_v3, xception and efficientnet_b3, but small: means of 23 x 23 pixels."""
    import keras
    from PIL import Image

    def network(weights, include_top):
        inputs = keras.Input((299, 299, 3))
        means = keras.layers.AveragePooling2D(23)(inputs)
        return keras.Model(inputs, keras.layers.Flatten(name="means")(means))

    module = SimpleNamespace(preprocess_input=lambda rgb: rgb / 255)
    monkeypatch.setattr(applications, "find_application", lambda _: (module, network))
    settings = Settings(backbone="large", layer="means", weights="random", batch_size=4)
    encoder = load_encoder(settings, root=tmp_path, seed=3, device=CPU)
    pixels = np.random.default_rng(0).integers(0, 256, (299, 400, 3), dtype=np.uint8)
    view = encoder.preprocessing.prepare(decode(Image.fromarray(pixels), least_px=None))
    np.testing.assert_array_equal(view, pixels[:, 50:349])
    assert encoder.identity.input_px == 299
    assert encoder.input_shape == (299, 299, 3)
    codes = np.asarray(encoder.encode(np.stack([view] * 4)))
    expected = (view / 255).reshape(13, 23, 13, 23, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(codes[3], expected.ravel(), rtol=1e-4)


def test_a_code_depends_on_neither_place_nor_company_in_its_batch(small):
    batch = images(8)
    alone = np.zeros_like(batch)
    alone[5] = batch[2]
    codes, other = np.asarray(small.encode(batch)), np.asarray(small.encode(alone))
    np.testing.assert_array_equal(codes[2], other[5])


def test_the_same_seed_gives_the_same_weights(tiny):
    first, again, other = tiny(seed=3), tiny(seed=3), tiny(seed=4)
    assert again.identity == first.identity
    assert other.identity.weights_sha256 != first.identity.weights_sha256


def test_unknown_backbones_are_named(tmp_path):
    settings = Settings(backbone="vgg99", weights="random")
    with pytest.raises(StudyError, match=r"encoder\.backbone.*vgg99"):
        load_encoder(settings, root=tmp_path, seed=0, device=CPU)


def test_unknown_layers_are_named_with_those_that_there_are(tiny):
    with pytest.raises(StudyError, match=r"encoder\.layer.*fc99.*patches.*depthwise"):
        tiny(layer="fc99")


def test_the_change_by_other_arithmetic_is_relative():
    def exact(batch):
        return batch.reshape(len(batch), -1)[:, :10]

    assert relative_change(
        exact, lambda batch: exact(batch) * 1.01, (4, 224, 224, 3)
    ) == pytest.approx(0.01, rel=1e-4)


class TestWeightsInput:
    def test_it_is_the_files_sha256(self, tmp_path):
        (tmp_path / "w.h5").write_bytes(b"weights")
        expected = hashlib.sha256(b"weights").hexdigest()
        assert weights_input(Settings(weights="w.h5"), tmp_path, 1) == expected
        assert weights_input(Settings(weights="w.h5", weights_sha256=expected), tmp_path, 1)

    def test_another_sha256_than_the_study_names(self, tmp_path):
        (tmp_path / "w.h5").write_bytes(b"weights")
        settings = Settings(weights="w.h5", weights_sha256="0" * 64)
        for check in (
            lambda: weights_input(settings, tmp_path, 1),
            lambda: load_encoder(settings, root=tmp_path, seed=1, device=CPU),
        ):
            with pytest.raises(SourceError, match=r"w\.h5.*sha256.*0000"):
                check()

    def test_a_missing_file(self, tmp_path):
        with pytest.raises(SourceMissingError, match="553 MB"):
            weights_input(Settings(weights="w.h5"), tmp_path, 1)

    def test_random_weights_depend_on_the_seed(self, tmp_path):
        settings = Settings(weights="random")
        assert weights_input(settings, tmp_path, 1) != weights_input(settings, tmp_path, 2)


class TestWeightsKnown:
    def identity(self, label):
        return IDENTITY.model_copy(update={"weights": label, "weights_sha256": "a" * 64})

    @pytest.mark.parametrize("label", ["imagenet", "random"])
    def test_published_and_random_weights_are_known(self, label):
        assert weights_known(self.identity(label), Settings()).passed

    def test_other_files_are_known_by_the_sha256_that_the_study_names(self):
        identity = self.identity("file")
        unknown = weights_known(identity, Settings(weights="inputs/weights/w.h5"))
        assert not unknown.passed
        assert not unknown.blocking
        assert "inputs/weights/w.h5" in unknown.description
        assert "a" * 64 in unknown.description
        assert "weights_sha256" in unknown.description
        assert weights_known(identity, Settings(weights_sha256="a" * 64)).passed


@pytest.mark.filterwarnings("ignore:Skipping nested container")
def test_a_file_that_is_not_published_is_known_by_its_sha256(tmp_path, tiny):
    """Keras's own way of saving weights, read back into the same network, under whatever name."""
    TinyApplication.network().save_weights(tmp_path / "own.weights.h5")
    encoder = tiny(weights="own.weights.h5")
    assert encoder.identity.weights == "file"
    digest = hashlib.sha256((tmp_path / "own.weights.h5").read_bytes()).hexdigest()
    assert encoder.identity.weights_sha256 == digest
    shutil.copy(tmp_path / "own.weights.h5", tmp_path / "renamed.weights.h5")
    assert tiny(weights="renamed.weights.h5").identity == encoder.identity
    with pytest.raises(SourceError, match=r"own\.weights\.h5.*tiny"):
        tiny(weights="own.weights.h5", backbone="other")


TWO_DEVICES = """
import json, sys
from pathlib import Path
import numpy as np
from streetineq_assets.codes.encoders import applications, loading
from streetineq_assets.devices import DeviceRequest, lease
from streetineq_assets.encoder_settings import KerasEncoder as Settings
from streetineq_tests.codes.fakes import TinyApplication

applications.find_application = lambda _: (TinyApplication, TinyApplication.network)
settings = Settings(**TinyApplication.SETTINGS)
assert "tensorflow" not in sys.modules
with lease(DeviceRequest(kind="cpu", logical_cpus=2), Path(sys.argv[1])) as device:
    strategy = device.strategy()
    encoder = loading.load_encoder(settings, root=Path("."), seed=3, device=device)
    images = np.load(Path(sys.argv[1]) / "images.npy")
    np.save(Path(sys.argv[1]) / "codes.npy", np.asarray(encoder.encode(images)))
print(json.dumps(
    [type(strategy).__name__, strategy.num_replicas_in_sync, encoder.batch_size]
))
"""


@pytest.mark.slow
def test_two_devices_give_the_same_codes_as_one(tiny, tmp_path):
    batch = images(8)
    np.save(tmp_path / "images.npy", batch)
    done = subprocess.run(
        [sys.executable, "-c", TWO_DEVICES, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == ["MirroredStrategy", 2, 8]
    expected = np.asarray(tiny().encode(batch))
    found = np.load(tmp_path / "codes.npy")
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


def test_mixed_precision_is_refused_on_the_cpu(tmp_path):
    """Rather than codes in float32, which are not comparable, under a study that says otherwise."""
    settings = Settings(**SMALL | {"mixed_precision": True})
    device = Device(kind="cpu", fallback="all GPUs (2) are leased by other processes")
    with pytest.raises(DeviceError, match=r"encoder\.mixed_precision.*all GPUs \(2\)"):
        load_encoder(settings, root=tmp_path, seed=3, device=device)


def test_mixed_precision_reports_how_far_codes_move(tiny):
    """A stand-in for a GPU: the same arithmetic on the CPU, without XLA."""
    import keras
    import tensorflow as tf

    gpu = SimpleNamespace(kind="gpu", jit_inference=False, strategy=tf.distribute.get_strategy)
    encoder, batch = tiny(device=gpu, mixed_precision=True), images(8)
    assert encoder.identity.mixed_precision is True
    assert 1e-6 < encoder.values["mixed_precision_change"] < 0.05
    codes = np.asarray(encoder.encode(batch))
    assert codes.dtype == np.float32
    exact = tiny()
    assert not encoder.identity.is_same(exact.identity)
    change = np.abs(codes - np.asarray(exact.encode(batch))).max()
    assert 0 < change < 0.1 * np.abs(codes).max()
    assert keras.config.dtype_policy().name == "float32"


@pytest.fixture
def kept(tiny, tmp_path):
    """As `tiny`, by `kept_encoder`."""

    def load(seed=3, **changed):
        settings = Settings(**TinyApplication.SETTINGS | changed)
        return kept_encoder(settings, root=tmp_path, seed=seed, device=CPU)

    yield load
    release_encoder()


def test_an_encoder_is_kept_while_nothing_of_it_has_changed(kept):
    first = kept()
    assert kept() is first
    other = kept(seed=4)
    assert other.identity.weights_sha256 != first.identity.weights_sha256
    assert kept(batch_size=8).batch_size == 8
    assert kept(backbone="other").width != first.width
    again = kept()
    assert again is not first  # one is kept
    release_encoder()
    assert kept() is not again


def test_a_kept_encoder_is_not_that_of_a_file_that_was_replaced(tiny, tmp_path):
    """Of the same name, size and second: the kernel's own time of change tells."""
    network = TinyApplication.network()
    files = []
    for seed in (1, 2):
        _copy_random(network, seed)
        network.save_weights(tmp_path / f"{seed}.weights.h5")
        files.append(tmp_path / f"{seed}.weights.h5")
    settings = Settings(**TinyApplication.SETTINGS | {"weights": "used.weights.h5"})
    found = []
    for file in files:
        shutil.copy(file, tmp_path / "used.weights.h5")
        found.append(kept_encoder(settings, root=tmp_path, seed=0, device=CPU))
    release_encoder()
    first, second = (encoder.identity.weights_sha256 for encoder in found)
    assert first != second
    batch = images(found[0].batch_size)
    assert not np.allclose(*(np.asarray(encoder.encode(batch)) for encoder in found))
