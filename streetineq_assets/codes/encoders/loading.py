"""The encoder that a study names: built by its family, compiled for the device at hand."""

import functools
import math
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from streetineq_assets.codes.encoders.compiled import compile_model
from streetineq_assets.codes.encoders.encoder import Encode, Encoder, Network
from streetineq_assets.codes.encoders.fc6_on_cpu import compile_fc6
from streetineq_assets.codes.identity import EncoderIdentity
from streetineq_assets.devices import Device, arithmetic
from streetineq_assets.encoder_settings import Encoder as Settings
from streetineq_assets.errors import DeviceError
from streetineq_assets.findings import Scalar
from streetineq_assets.images.catalogue import VIEWS

# Each has `build(settings, root, seed)`, a network, and `weights_input`, as the function here.
_MODULES = {
    "keras": "applications",
    "keras_file": "keras_file",
    "hub": "hub",
    "onnx": "onnx_file",
}


def _family(settings: Settings) -> Any:
    """The module of a family, imported when it is used: some take packages of their own."""
    return import_module(f"streetineq_assets.codes.encoders.{_MODULES[settings.family]}")


def idle_encoder(settings: Settings) -> Encoder:
    """What stands for a network where a bucket has no images: nothing is loaded or encoded."""
    named = settings.model_dump()
    identity = EncoderIdentity(
        family=settings.family,
        backbone=named.get("backbone", settings.family),
        layer=named.get("layer", ""),
        preprocessing=named.get("preprocessing", ""),
        weights="none",
        weights_sha256="",
        width=0,
    )
    return Encoder(lambda pixels: pixels, len(VIEWS), identity, {})


def weights_input(settings: Settings, root: Path, seed: int) -> str:
    """The weights' digest for the skip key, without TensorFlow: a file's sha256, or their recipe.

    Args:
        root: the study's folder, to which the weight file's path is relative.
        seed: the study's, of random weights.

    Raises:
        SourceMissingError: the study names a file that is not there.
        SourceError: the file is not the one whose sha256 the study names.
    """
    return _family(settings).weights_input(settings, root, seed)


def kept_encoder(settings: Settings, *, root: Path, seed: int, device: Device) -> Encoder:
    """As `load_encoder`, or the last that this process loaded where nothing of it has changed.

    Loading takes as long as encoding a hundred images, and `streetineq run` comes here for every
    bucket.
    """
    return _kept(settings, root, seed, device, weights_input(settings, root, seed))


def release_encoder() -> None:
    """Keep no encoder any longer."""
    _kept.cache_clear()


@functools.lru_cache(maxsize=1)
def _kept(settings: Settings, root: Path, seed: int, device: Device, _weights: str) -> Encoder:
    return load_encoder(settings, root=root, seed=seed, device=device)


def load_encoder(settings: Settings, *, root: Path, seed: int, device: Device) -> Encoder:
    """Build the study's encoder, load and check its weights, compile it.

    Args:
        root: the study's folder, to which the weight file's path is relative.

    Raises:
        SourceMissingError, SourceError, StudyError: as the family's `build`.
        DeviceError: the study wants mixed precision and the device is a CPU. Codes in float32
            would not be comparable to those that a GPU makes for the same study.
    """
    mixed = getattr(settings, "mixed_precision", False)
    if mixed and device.kind != "gpu":
        raise DeviceError(_no_mixed_precision(device))
    strategy = device.strategy()
    batch_size = _round_up(settings.batch_size, math.lcm(len(VIEWS), strategy.num_replicas_in_sync))

    def build(*, mixed: bool) -> tuple[Encode, Network, dict[str, Scalar]]:
        with strategy.scope(), arithmetic(mixed=mixed):
            network = _family(settings).build(settings, root, seed)
        encode, values = _ready(settings, network, batch_size, device)
        return encode, network, values

    encode, network, values = build(mixed=mixed)
    values["n_encoder_parameters"] = network.n_parameters
    if mixed:
        exact, *_ = build(mixed=False)
        values["mixed_precision_change"] = relative_change(
            exact, encode, (batch_size, *network.input_shape)
        )
    return Encoder(
        encode,
        batch_size,
        _identity(settings, network, mixed=mixed),
        values,
        network.preprocessing,
        network.input_shape,
    )


def relative_change(exact: Encode, other: Encode, shape: tuple[int, int, int, int]) -> float:
    """Root mean square of the difference between two encoders' codes, over that of the codes.

    Measured on generated images with structure at the scale of a street scene's larger parts.

    Args:
        shape: of a batch; sides of at least 8 pixels.
    """
    n, height, width, channels = shape
    coarse = np.random.default_rng(0).uniform(0, 255, (n, 8, 8, channels)).astype(np.float32)
    fine = coarse.repeat(-(-height // 8), axis=1).repeat(-(-width // 8), axis=2)
    images = fine[:, :height, :width] - np.float32(127)
    codes = np.asarray(exact(images), dtype=np.float64)
    difference = np.asarray(other(images), dtype=np.float64) - codes
    return float(np.sqrt((difference**2).mean() / (codes**2).mean()))


def _ready(
    settings: Settings, network: Network, batch_size: int, device: Device
) -> tuple[Encode, dict[str, Scalar]]:
    """What encodes batches of one size, and what the UI says of it."""
    import keras

    model, values = network.forward, {}
    if not isinstance(model, keras.Model):
        return model, values
    if device.kind == "cpu" and getattr(settings, "is_fc6", False):
        parts = device.strategy().num_replicas_in_sync
        encode, values = compile_fc6(model, batch_size=batch_size, parts=parts)
        if encode:
            return encode, values
    return compile_model(model, batch_size=batch_size, device=device), values


def _identity(settings: Settings, network: Network, *, mixed: bool) -> EncoderIdentity:
    return EncoderIdentity(
        family=settings.family,
        backbone=network.backbone,
        layer=network.layer,
        input_px=network.input_shape[0],
        preprocessing=network.preprocessing.name,
        weights=network.weights,
        weights_sha256=network.weights_sha256,
        licence=settings.licence or network.licence,
        mixed_precision=mixed,
        width=network.width,
    )


def _no_mixed_precision(device: Device) -> str:
    why = f" ({device.fallback})" if device.fallback else ""
    return (
        "encoder.mixed_precision is true in study.toml, which takes a GPU, and this step has the "
        f"CPU{why}: run it where a GPU is free, or set it to false and all images are encoded again"
    )


def _round_up(number: int, multiple: int) -> int:
    return -(-number // multiple) * multiple
