"""All families of encoders together: each is told from every other by its identity."""

import itertools
import subprocess
import sys

import pytest

pytest.importorskip("keras_hub")
pytest.importorskip("onnxruntime")

from streetineq_assets.codes.encoders.loading import load_encoder
from streetineq_assets.codes.identity import EncoderIdentity, require_encoder, require_one_encoder
from streetineq_assets.devices import Device
from streetineq_assets.encoder_settings import (
    HubEncoder,
    KerasEncoder,
    KerasFileEncoder,
    OnnxEncoder,
)
from streetineq_assets.errors import TrainingError
from streetineq_tests.codes.encoders import onnx_networks, presets

CPU = Device(kind="cpu")
MOBILENET = {"backbone": "mobilenet_v2", "layer": "global_average_pooling2d", "weights": "random"}
# Of a file of an earlier version, and as others state theirs.
STATED = {
    "vgg16": EncoderIdentity(
        backbone="vgg16",
        layer="fc6",
        preprocessing="antialias",
        weights="imagenet",
        weights_sha256="5" * 64,
        width=4096,
    ),
    "imported": EncoderIdentity(
        family="imported",
        backbone="CLIP ViT-B/32",
        layer="pooled",
        preprocessing="OpenAI's",
        weights="imported",
        weights_sha256="",
        width=512,
    ),
}
NAMES = [*STATED, "mobilenet_v2", "keras_file", *presets.KINDS, "onnx", "onnx_mean"]


def write_keras(path):
    import keras

    inputs = keras.Input((32, 32, 3))
    keras.Model(inputs, keras.layers.Conv2D(5, 8, name="codes")(inputs), name="own").save(path)


@pytest.fixture(scope="module")
def identities(presets_root, tmp_path_factory):
    """One of each family, and of each backbone of KerasHub; built where it is of ours to build."""
    root = tmp_path_factory.mktemp("study")
    write_keras(root / "n.keras")
    onnx_networks.write(root / "n.onnx", outputs=("code", "tokens"))
    hub = {kind: HubEncoder(family="hub", weights=kind) for kind in presets.KINDS}
    others = {
        "mobilenet_v2": KerasEncoder(**MOBILENET),
        "keras_file": KerasFileEncoder(family="keras_file", weights="n.keras", layer="codes"),
        "onnx": OnnxEncoder(family="onnx", weights="n.onnx", output="code"),
        "onnx_mean": OnnxEncoder(family="onnx", weights="n.onnx", output="tokens", pooling="mean"),
    }
    found = {
        name: load_encoder(
            settings, root=presets_root if name in hub else root, seed=0, device=CPU
        ).identity
        for name, settings in (hub | others).items()
    }
    return STATED | found


@pytest.mark.parametrize("name", NAMES)
def test_codes_of_the_same_encoder_pass(identities, name):
    read_again = EncoderIdentity.from_attributes(identities[name].attributes)
    require_encoder(identities[name], read_again)
    require_one_encoder({"leeds": identities[name], "london": read_again})


@pytest.mark.parametrize(
    ("mine", "theirs"), list(itertools.permutations(NAMES, 2)), ids=lambda name: name
)
def test_codes_of_any_other_are_refused(identities, mine, theirs):
    with pytest.raises(TrainingError, match="the networks take codes with"):
        require_encoder(identities[mine], identities[theirs])
    with pytest.raises(TrainingError, match=r"leeds.*london.*need one encoder"):
        require_one_encoder({"leeds": identities[mine], "london": identities[theirs]})


def test_what_is_skipped_is_found_without_the_libraries(presets_root, tmp_path):
    """The digest of weights is asked for whenever a bucket is: it must not cost seconds."""
    onnx_networks.write(tmp_path / "n.onnx")
    code = f"""
import sys
from pathlib import Path
from streetineq_assets.codes.encoders.loading import weights_input
from streetineq_assets.encoder_settings import HubEncoder, OnnxEncoder
weights_input(HubEncoder(family="hub", weights="clip"), Path({str(presets_root)!r}), 0)
weights_input(OnnxEncoder(family="onnx", weights="n.onnx"), Path({str(tmp_path)!r}), 0)
print(*sorted({{"tensorflow", "keras", "keras_hub", "onnx", "onnxruntime"}} & sys.modules.keys()))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == ""
