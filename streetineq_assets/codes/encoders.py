"""The encoder that a study names, with checked weights, compiled for the device at hand.

VGG16 itself is in `vgg16`; here are the other backbones of `keras.applications`, and the forward
pass over one or several devices.
"""

import hashlib
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from streetineq_assets.codes import vgg16
from streetineq_assets.codes.identity import EncoderIdentity
from streetineq_assets.codes.preprocess import CHANNEL_MEANS, SIDE
from streetineq_assets.devices import Device, arithmetic
from streetineq_assets.digests import digest_file
from streetineq_assets.errors import DeviceError, SourceError, SourceMissingError, StudyError
from streetineq_assets.findings import Scalar
from streetineq_assets.images.catalogue import VIEWS
from streetineq_assets.settings import Encoder as Settings

if TYPE_CHECKING:
    import keras

Encode = Callable[[np.ndarray], Any]


@dataclass(frozen=True)
class Encoder:
    """A network ready to encode.

    Attributes:
        encode: float32 (batch_size, 224, 224, 3) as `preprocess` makes it -> (batch_size, width),
            convertible to a float32 array; it may still be computing when it returns.
        batch_size: the one number of images that `encode` takes, a multiple of four.
        identity: what decides the codes; two files with the same identity hold comparable codes.
        values: single numbers for the UI, such as `n_encoder_parameters`.
    """

    encode: Encode
    batch_size: int
    identity: EncoderIdentity
    values: dict[str, Scalar]

    @property
    def width(self) -> int:
        """Values per image."""
        return self.identity.width


def idle_encoder(settings: Settings) -> Encoder:
    """What stands for a network where a bucket has no images: nothing is loaded or encoded."""
    identity = EncoderIdentity(
        backbone=settings.backbone,
        layer=settings.layer,
        preprocessing=settings.preprocessing,
        weights="none",
        weights_sha256="",
        width=0,
    )
    return Encoder(lambda pixels: pixels, len(VIEWS), identity, {})


def is_fc6(settings: Settings) -> bool:
    """Whether the study names VGG16's fc6, the paper's code."""
    return settings.backbone == "vgg16" and settings.layer == "fc6"


def weights_input(settings: Settings, root: Path, seed: int) -> str:
    """The weights' digest for the skip key, without TensorFlow: a file's sha256, or their recipe.

    Args:
        root: the study's folder, to which the weight file's path is relative.
        seed: the study's, of random weights.

    Raises:
        SourceMissingError: the study names a file that is not there.
        SourceError: the file is not the one whose sha256 the study names.
    """
    if settings.weights == "random":
        return f"random, seed {seed}"
    if settings.weights == "imagenet":
        return "imagenet, as Keras publishes it"
    return _checked_file(settings, root / settings.weights)[1]


def load_encoder(settings: Settings, *, root: Path, seed: int, device: Device) -> Encoder:
    """Build the study's encoder, load and check its weights, compile it.

    Args:
        root: the study's folder, to which the weight file's path is relative.

    Raises:
        SourceMissingError, SourceError: as `vgg16.build_encoder`, and for a wrong sha256.
        StudyError: no such backbone or layer.
        DeviceError: the study wants mixed precision and the device is a CPU. Codes in float32
            would not be comparable to those that a GPU makes for the same study.
    """
    mixed = settings.mixed_precision
    if mixed and device.kind != "gpu":
        raise DeviceError(_no_mixed_precision(device))
    strategy = device.strategy()
    batch_size = _round_up(settings.batch_size, math.lcm(len(VIEWS), strategy.num_replicas_in_sync))

    def build(*, mixed: bool) -> tuple[Encode, "_Loaded"]:
        with strategy.scope(), arithmetic(mixed=mixed):
            loaded = _build(settings, root, seed)
        return compile_model(loaded.model, batch_size=batch_size, device=device), loaded

    encode, loaded = build(mixed=mixed)
    values: dict[str, Scalar] = {"n_encoder_parameters": int(loaded.model.count_params())}
    if mixed:
        exact, _ = build(mixed=False)
        values["mixed_precision_change"] = relative_change(exact, encode, batch_size)
    identity = EncoderIdentity(
        backbone=settings.backbone,
        layer=settings.layer,
        preprocessing=settings.preprocessing,
        weights=loaded.label,
        weights_sha256=loaded.sha256,
        mixed_precision=mixed,
        width=int(loaded.model.output_shape[-1]),
    )
    return Encoder(encode, batch_size, identity, values)


def compile_model(model: "keras.Model", *, batch_size: int, device: Device) -> Encode:
    """The forward pass as one compiled function of one shape, spread over the device's parts.

    Args:
        model: built in `device.strategy().scope()`.
        batch_size: images per call, divisible by the number of replicas.

    Returns:
        Function of float32 (batch_size, height, width, 3) to a float32 tensor (batch_size, width).
    """
    import tensorflow as tf

    strategy = device.strategy()
    replicas = strategy.num_replicas_in_sync
    shape = tf.TensorSpec((batch_size // replicas, *model.input_shape[1:]), tf.float32)

    def forward(images: Any) -> Any:
        return tf.cast(model(images, training=False), tf.float32)

    if replicas == 1:
        return tf.function(forward, input_signature=[shape], jit_compile=device.jit_inference)

    compiled = tf.function(forward, jit_compile=device.jit_inference)

    @tf.function
    def forward_everywhere(images: Any) -> Any:
        return strategy.run(compiled, args=(images,))

    def encode(images: np.ndarray) -> Any:
        parts = np.split(images, replicas)
        spread = strategy.experimental_distribute_values_from_function(
            lambda context: tf.constant(parts[context.replica_id_in_sync_group])
        )
        codes = strategy.experimental_local_results(forward_everywhere(spread))
        return tf.concat([tf.identity(part) for part in codes], axis=0)

    return encode


def relative_change(exact: Encode, other: Encode, batch_size: int) -> float:
    """Root mean square of the difference between two encoders' codes, over that of the codes.

    Measured on generated images with structure at the scale of a street scene's larger parts.
    """
    generator = np.random.default_rng(0)
    coarse = generator.uniform(0, 255, (batch_size, 8, 8, 3)).astype(np.float32)
    images = coarse.repeat(SIDE // 8, axis=1).repeat(SIDE // 8, axis=2) - CHANNEL_MEANS
    codes = np.asarray(exact(images), dtype=np.float64)
    difference = np.asarray(other(images), dtype=np.float64) - codes
    return float(np.sqrt((difference**2).mean() / (codes**2).mean()))


# -- weights -------------------------------------------------------------------------------------


class _Loaded(NamedTuple):
    """A model; where its weights are from, and the sha256 of their file or of their arrays."""

    model: "keras.Model"
    label: str
    sha256: str


def _build(settings: Settings, root: Path, seed: int) -> _Loaded:
    file, sha256 = None, None
    if settings.weights not in ("random", "imagenet"):
        file, sha256 = _checked_file(settings, root / settings.weights)
    elif settings.weights == "imagenet" and is_fc6(settings):
        file, sha256 = _checked_file(settings, vgg16.download_weights())
    if is_fc6(settings):
        model = vgg16.build_encoder(file or "random", seed)
    else:
        model = _build_backbone(settings, file, seed)
    label = settings.weights if file is None else "file"  # its sha256 says which
    if file and vgg16.is_published_file(file):
        label = "imagenet"
    return _Loaded(model, label, sha256 or _digest_weights(model))


def _checked_file(settings: Settings, path: Path) -> tuple[Path, str]:
    if not path.is_file():
        raise SourceMissingError(
            f"{path} is missing: put Keras's {vgg16.WEIGHT_FILE} ({vgg16.WEIGHT_FILE_SIZE}) there, "
            'or set encoder.weights in study.toml to "imagenet" (downloads it) or "random"'
        )
    sha256 = digest_file(path)
    if settings.weights_sha256 and sha256 != settings.weights_sha256:
        raise SourceError(
            f"{path} has the sha256 {sha256}, study.toml expects {settings.weights_sha256}: get "
            "the file again, or correct encoder.weights_sha256"
        )
    return path, sha256


def _digest_weights(model: "keras.Model") -> str:
    digest = hashlib.sha256()
    for variable in model.weights:
        digest.update(np.ascontiguousarray(variable.numpy()).data)
    return digest.hexdigest()


# -- other backbones -----------------------------------------------------------------------------


def _build_backbone(settings: Settings, file: Path | None, seed: int) -> "keras.Model":
    """A layer of a `keras.applications` network, averaged over space, on `preprocess`'s images.

    They are resized, bilinearly, where the network takes another size: 299 pixels in inception_v3.
    """
    import keras

    module, make = _application(settings.backbone)
    source = "imagenet" if settings.weights == "imagenet" else None
    network = make(weights=source, include_top=True)
    if file:
        _load_file(network, file)
    elif settings.weights == "random":
        _randomise(network, seed)
    inputs = keras.Input((SIDE, SIDE, 3), name="bgr_minus_means")
    rgb = keras.ops.flip(inputs + CHANNEL_MEANS, axis=-1)
    if network.input_shape[1:3] != (SIDE, SIDE):
        rgb = keras.ops.image.resize(rgb, network.input_shape[1:3], interpolation="bilinear")
    part = keras.Model(network.input, _layer(network, settings).output)
    codes = part(module.preprocess_input(rgb))
    if len(codes.shape) == 4:
        codes = keras.layers.GlobalAveragePooling2D()(codes)
    return keras.Model(inputs, keras.layers.Flatten()(codes), name=settings.backbone)


def _layer(network: "keras.Model", settings: Settings) -> "keras.Layer":
    """The layer by name; Keras numbers those that have none of their own, within a process."""
    names = [layer.name for layer in network.layers]
    numbered = re.compile(re.escape(settings.layer) + r"_\d+")
    fitting = [name for name in names if name == settings.layer] or [
        name for name in names if numbered.fullmatch(name)
    ]
    if len(fitting) != 1:
        raise StudyError(
            f"encoder.layer is {settings.layer!r}, which {settings.backbone} does not have: one of "
            + ", ".join(names)
        )
    return network.get_layer(fitting[0])


def _application(backbone: str) -> tuple[Any, Callable[..., "keras.Model"]]:
    """The module of `keras.applications` and its function, by the function's name in any case."""
    import keras

    for module_name in dir(keras.applications):
        module = getattr(keras.applications, module_name)
        for name in dir(module) if hasattr(module, "preprocess_input") else ():
            if name.lower() == backbone.lower().replace("_", ""):
                return module, getattr(module, name)
    raise StudyError(
        f"encoder.backbone is {backbone!r}: expected vgg16 or a name in keras.applications"
    )


def _load_file(network: "keras.Model", file: Path) -> None:
    try:
        network.load_weights(file)
    except (ValueError, OSError) as error:
        message = str(error).strip().splitlines()[0]
        raise SourceError(f"{file} does not fit {network.name}: {message}") from error


def _randomise(network: "keras.Model", seed: int) -> None:
    """He-normal kernels from NumPy's PCG64; biases and normalisations stay as Keras sets them."""
    for number, layer in enumerate(network.layers):
        depthwise = type(layer).__name__ == "DepthwiseConv2D"
        for variable in layer.weights:
            if len(variable.shape) < 2:
                continue
            fan_in = math.prod(variable.shape[:2] if depthwise else variable.shape[:-1])
            generator = np.random.Generator(np.random.PCG64([seed, number]))
            normal = generator.standard_normal(tuple(variable.shape), dtype=np.float32)
            variable.assign(normal * np.float32(math.sqrt(2 / fan_in)))


def _no_mixed_precision(device: Device) -> str:
    why = f" ({device.fallback})" if device.fallback else ""
    return (
        "encoder.mixed_precision is true in study.toml, which takes a GPU, and this step has the "
        f"CPU{why}: run it where a GPU is free, or set it to false and all images are encoded again"
    )


def _round_up(number: int, multiple: int) -> int:
    return -(-number // multiple) * multiple
