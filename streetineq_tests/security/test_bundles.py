"""A bundle of a stranger is weights for a network that is made here, and nothing else."""

import hashlib
import io
import json
import zipfile

import h5py
import keras
import pytest

from streetineq_assets.errors import SourceError
from streetineq_assets.models.bundles.bundle import import_bundle, open_bundle
from streetineq_assets.models.network import build_network
from streetineq_assets.profiles import PROFILES
from streetineq_assets.store import DataStore
from streetineq_tests.studies import ENCODER

WIDTH = 8
PROFILE = PROFILES["recommended"]


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    """The bytes of a saved network."""
    file = tmp_path_factory.mktemp("network") / "fold_0.keras"
    build_network(PROFILE, WIDTH).save(file)
    return file.read_bytes()


def bundle(path, network, *, width=WIDTH, **changed):
    """A bundle that agrees with its own account of its members."""
    about = {
        "format_version": 4,
        "city": "alpha",
        "outcome": "crime",
        "trained_on": {"alpha": "Alpha"},
        "encoder": ENCODER.model_dump() | {"width": width},
        "profile": PROFILE.model_dump(),
        "folds": [0],
        "members": {"fold_0.keras": hashlib.sha256(network).hexdigest()},
    } | changed
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("bundle.json", json.dumps(about))
        archive.writestr("fold_0.keras", network)
    return path


def edited(network, *, config=lambda config: None, packed=zipfile.ZIP_STORED, weights=None):
    """A saved network with another account of its layers, or other weights."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(network)) as old, zipfile.ZipFile(target, "w", packed) as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "config.json":
                described = json.loads(content)
                config(described)
                content = json.dumps(described).encode()
            if name == "model.weights.h5" and weights:
                content = weights(content)
            new.writestr(name, content)
    return target.getvalue()


def refused(attempt, tmp_path, network, match, **changed):
    """The import is refused in one line, and nothing is written."""
    store = DataStore(tmp_path / "study")
    with attempt.raises(SourceError, match=match):
        import_bundle(bundle(tmp_path / "b.streetineq", network, **changed), store)
    attempt.fails(not store.inputs("models").exists(), "a file was written")


def test_an_honest_one_is_imported(honest, tmp_path):
    store = DataStore(tmp_path / "study")
    target = import_bundle(bundle(tmp_path / "b.streetineq", honest), store)
    assert target == store.inputs("models", "alpha_crime.streetineq")
    (network,) = open_bundle(target).networks().values()
    assert network.count_params() == build_network(PROFILE, WIDTH).count_params()


def test_a_lambda_layer_is_refused_and_does_not_run(attempt, tmp_path):
    ran = tmp_path / "ran"
    inputs = keras.Input((4, WIDTH))
    source = f"lambda x: (__import__('pathlib').Path({str(ran)!r}).touch(), x)[1]"
    outputs = keras.layers.Lambda(eval(source), output_shape=(4, WIDTH))(inputs)
    keras.Model(inputs, outputs).save(tmp_path / "l.keras")
    ran.unlink(missing_ok=True)
    big = io.BytesIO((tmp_path / "l.keras").read_bytes())
    with zipfile.ZipFile(big, "a") as file:
        file.writestr("filler", b"\0" * 100_000)
    refused(attempt, tmp_path, big.getvalue(), "fold_0.keras .*Lambda")
    attempt.fails(not ran.exists(), "it ran")


def foreign_module(config):
    config["config"]["layers"][2] |= {"module": "os", "class_name": "system"}


def another_layer(config):
    config["config"]["layers"].append({"class_name": "Conv2D", "config": {"filters": 9}})


def no_layers(config):
    config["config"] = {}


@pytest.mark.parametrize("change", [foreign_module, another_layer, no_layers])
def test_other_layers_than_the_profiles_are_refused(attempt, honest, tmp_path, change):
    refused(attempt, tmp_path, edited(honest, config=change), "fold_0.keras")


def test_the_size_of_a_layer_is_not_the_files_to_say(attempt, honest, tmp_path, monkeypatch):
    """The layers are made of the profile: a file's billion of units takes no memory."""

    def billion(config):
        config["config"]["layers"][2]["config"]["units"] = 10**9

    made = []
    monkeypatch.setattr(keras.layers.Dense, "build", counted(keras.layers.Dense.build, made))
    path = bundle(tmp_path / "b.streetineq", edited(honest, config=billion))
    open_bundle(path).networks()
    attempt.fails(made and max(made) == 512, made)


def counted(build, made):
    def build_counted(self, input_shape):
        made.append(self.units)
        return build(self, input_shape)

    return build_counted


@pytest.mark.parametrize("width", [10**9, 10**18, 0, -1])
def test_a_width_that_the_weights_do_not_have_is_refused(attempt, honest, tmp_path, width):
    refused(attempt, tmp_path, honest, rf"fold_0.keras .*{width} values", width=width)


def test_weights_of_another_shape_are_refused(attempt, honest, tmp_path):
    refused(attempt, tmp_path, honest, "fold_0.keras", width=WIDTH + 1)


def test_packed_members_are_refused(attempt, honest, tmp_path):
    """A zip bomb: some kilobytes that stand for gigabytes."""
    packed = edited(honest, packed=zipfile.ZIP_DEFLATED)
    refused(attempt, tmp_path, packed, "is packed")


@pytest.mark.parametrize("kind", ["compressed", "external"])
def test_weights_that_lie_elsewhere_or_unfold_are_refused(attempt, honest, tmp_path, kind):
    secret = tmp_path / "secret"
    secret.write_bytes(b"\1" * 2**20)

    def weights(content):
        file = io.BytesIO(content)
        with h5py.File(file, "a") as open_file:
            if kind == "external":
                where = [(str(secret), 0, h5py.h5f.UNLIMITED)]
                open_file.create_dataset("more", (2**18,), "f4", external=where)
            else:
                open_file.create_dataset("more", (10**12,), "f4", compression="gzip")
        return file.getvalue()

    refused(attempt, tmp_path, edited(honest, weights=weights), "not in one piece")


@pytest.mark.parametrize(
    "changed",
    [
        {"city": "../../x"},
        {"city": "/etc/cron.d/x"},
        {"outcome": "x/../../y"},
        {"outcome": "crime\n"},
        {"members": {"../fold_0.keras": "0" * 64}},
    ],
)
def test_names_that_are_paths_are_refused(attempt, honest, tmp_path, changed):
    refused(attempt, tmp_path, honest, "model bundle", **changed)
