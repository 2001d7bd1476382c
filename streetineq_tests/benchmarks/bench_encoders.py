"""Images per second of each family of encoders on this machine.

    uv run --extra hub --extra onnx python -m streetineq_tests.benchmarks.bench_encoders

Networks have their real size and random weights, on which speed does not depend, and pictures of
224 pixels. One comes after another, since all would take 7 GB; the median of the rounds counts. It
prints a Markdown table: the forward pass alone, and `extract_bucket` from JPEG files of 640 x 400
pixels to the bucket's file. VGG16 is there twice: the same network run by ONNX Runtime shows what
is the runtime's, and must agree.
"""

import argparse
import gc
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from streetineq_assets.codes.encoders.encoder import Encoder
from streetineq_assets.codes.encoders.loading import load_encoder
from streetineq_assets.codes.encoders.vgg16 import random_weights
from streetineq_assets.codes.extraction import Pace, extract_bucket
from streetineq_assets.devices import Device, DeviceRequest, lease
from streetineq_assets.encoder_settings import (
    HubEncoder,
    KerasEncoder,
    KerasFileEncoder,
    OnnxEncoder,
)
from streetineq_assets.images.catalogue import list_images
from streetineq_tests.benchmarks.bench_extraction import write_images

BATCH = 32
IMAGE = (224, 224, 3)
Settings = KerasEncoder | KerasFileEncoder | HubEncoder | OnnxEncoder
_SMALL = {"num_layers": 12, "num_heads": 6, "hidden_dim": 384, "intermediate_dim": 1536}
_BASE = {"num_layers": 12, "num_heads": 12, "hidden_dim": 768}
# Its size is of no account, and so it is small.
_TEXT = {
    "vocabulary_size": 9,
    "embedding_dim": 768,
    "hidden_dim": 768,
    "num_layers": 1,
    "num_heads": 1,
    "intermediate_dim": 9,
}


def presets() -> dict[str, tuple[Callable, str, dict]]:
    """Backbones of KerasHub by name, their converters, and how these scale."""
    from keras_hub import models as m

    def vision(make: Callable, patch: int, **shape: object) -> object:
        return make(patch_size=patch, image_shape=IMAGE, **shape)

    dino, base = _SMALL, {**_BASE, "intermediate_dim": 3072}
    smooth = {"interpolation": "bicubic", "antialias": True}
    return {
        "DINOv2-S/14": (lambda: vision(m.DINOV2Backbone, 14, **dino), "DINOV2", smooth),
        "DINOv3-S/16": (lambda: vision(m.DINOV3Backbone, 16, **dino), "DINOV3", smooth),
        "CLIP B/32": (
            lambda: m.CLIPBackbone(
                vision(m.CLIPVisionEncoder, 32, **base), m.CLIPTextEncoder(**_TEXT), 512
            ),
            "CLIP",
            smooth,
        ),
        "SigLIP B/16": (
            lambda: m.SigLIPBackbone(
                vision(m.SigLIPVisionEncoder, 16, **base), m.SigLIPTextEncoder(**_TEXT)
            ),
            "SigLIP",
            {"crop_to_aspect_ratio": False},
        ),
        "ViT-B/16": (lambda: vision(m.ViTBackbone, 16, **_BASE, mlp_dim=3072), "ViT", {}),
    }


def contenders(root: Path) -> Iterator[tuple[str, Settings]]:
    """Each network by name, with its files below `root`."""
    from keras_hub import layers

    yield "VGG16 fc6", KerasEncoder(weights="random", batch_size=BATCH)
    write_vgg16(root / "vgg16.onnx")
    means = {"channels": "bgr", "mean": (103.939, 116.779, 123.68)}
    yield (
        "VGG16 fc6",
        OnnxEncoder(family="onnx", weights="vgg16.onnx", batch_size=BATCH, input=means),
    )
    small = {"backbone": "efficientnet_v2_b0", "layer": "avg_pool", "weights": "random"}
    yield "EfficientNetV2-B0", KerasEncoder(**small, batch_size=BATCH)
    yield "EfficientNetV2-B0", write_keras_file(root / "efficientnet.keras")
    for number, (name, (make, converter, scaling)) in enumerate(presets().items()):
        folder = root / f"preset{number}"
        make().save_to_preset(folder)
        settings = {"image_size": IMAGE[:2], "scale": 1 / 255, **scaling}
        getattr(layers, f"{converter}ImageConverter")(**settings).save_to_preset(folder)
        yield name, HubEncoder(family="hub", weights=folder.name, batch_size=BATCH)


def write_keras_file(path: Path) -> KerasFileEncoder:
    """The same network as a file of Keras."""
    import keras

    network = keras.applications.EfficientNetV2B0(weights=None, input_shape=IMAGE)
    network.save(path)
    return KerasFileEncoder(
        family="keras_file", weights=path.name, layer="avg_pool", batch_size=BATCH
    )


def write_vgg16(path: Path) -> None:
    """VGG16 to fc6 as an ONNX file, with the random weights that the platform gives it."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    nodes, constants, last = [], [], "images"

    def add(operation: str, name: str, *inputs: str, **attributes: object) -> str:
        nodes.append(helper.make_node(operation, list(inputs), [name], **attributes))
        return name

    for name, arrays in random_weights(0):
        if last != "images" and name.endswith(("conv1", "fc1")):
            last = add("MaxPool", f"{name}_pool", last, kernel_shape=[2, 2], strides=[2, 2])
        if name == "fc1":
            last = add("Flatten", "flat", add("Transpose", "hwc", last, perm=[0, 2, 3, 1]))
            last = add("Gemm", "fc6", last, name, f"{name}_bias")
        else:
            last = add("Conv", f"{name}_sum", last, name, f"{name}_bias", pads=[1, 1, 1, 1])
            last = add("Relu", f"{name}_relu", last)
        kernel = arrays[0] if name == "fc1" else arrays[0].transpose(3, 2, 0, 1).copy()
        constants += [
            numpy_helper.from_array(kernel, name),
            numpy_helper.from_array(arrays[1], f"{name}_bias"),
        ]
    ends = [
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)]
        for name, shape in (("images", ["n", 3, 224, 224]), ("fc6", None))
    ]
    graph = helper.make_graph(nodes, "vgg16_fc6", *ends, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, path)


def seconds_forward(encoder: Encoder, batches: int) -> float:
    """Of one image, over some batches of noise."""
    noise = np.random.default_rng(0).standard_normal((BATCH, *encoder.input_shape), np.float32)
    started = time.perf_counter()
    for _ in range(batches):
        np.asarray(encoder.encode(noise))
    return (time.perf_counter() - started) / (batches * BATCH)


def seconds_from_files(encoder: Encoder, images: pd.DataFrame, folder: Path) -> float:
    """Of one image, from its file to the bucket's."""
    with tempfile.TemporaryDirectory() as work:
        started = time.perf_counter()
        findings = extract_bucket(
            images,
            locate=folder.joinpath,
            encoder=encoder,
            target=Path(work, "image_codes.h5"),
            work=Path(work),
            n_buckets=1,
            pace=Pace(workers=min(16, (os.cpu_count() or 1) + 1)),
        )
        taken = time.perf_counter() - started
    assert 4 * findings.n_rows == len(images)
    return taken / len(images)


def codes_of_noise(encoder: Encoder) -> np.ndarray:
    """What the two VGG16 must agree on."""
    noise = 50 * np.random.default_rng(1).standard_normal((BATCH, *IMAGE), np.float32)
    return np.asarray(encoder.encode(noise))


def measure(root: Path, device: Device, *, rounds: int, locations: int) -> None:
    """Print the table, a row when it is known."""
    import keras

    folder = root / "images"
    folder.mkdir()
    write_images(folder, locations)
    ids = {path.name.split("_")[0] for path in folder.iterdir()}
    images = list_images(folder, ids, city="bench", buckets=1).images
    print(f"{', '.join(device.names)}, batch {BATCH}, median of {rounds}\n")
    print("| network | family | parameters | width | forward, images/s | from files, images/s |")
    print("|---|---|--:|--:|--:|--:|")
    expected = None
    for name, settings in contenders(root):
        encoder = load_encoder(settings, root=root, seed=0, device=device)
        if name == "VGG16 fc6":
            codes = codes_of_noise(encoder)
            expected = codes if expected is None else expected
            assert np.abs(codes - expected).max() < 1e-4 * np.abs(expected).max()
        print(row(name, settings.family, encoder, images, folder, rounds), flush=True)
        del encoder
        keras.backend.clear_session()
        gc.collect()


def row(
    name: str, family: str, encoder: Encoder, images: pd.DataFrame, folder: Path, rounds: int
) -> str:
    """A network's row of the table."""
    seconds_forward(encoder, 1)  # compiles it
    forward, whole = [], []
    for _ in range(rounds):
        forward.append(seconds_forward(encoder, max(1, len(images) // BATCH)))
        whole.append(seconds_from_files(encoder, images, folder))
    rates = (f"{1 / statistics.median(each):.1f}" for each in (forward, whole))
    millions = encoder.values["n_encoder_parameters"] / 1e6
    return f"| {name} | {family} | {millions:.1f} M | {encoder.width} | {' | '.join(rates)} |"


def main() -> None:
    """Measure on the device that is free."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--locations", type=int, default=32, help="of four images each")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, lease(DeviceRequest()) as device:
        measure(Path(name), device, rounds=given.rounds, locations=given.locations)


if __name__ == "__main__":
    main()
