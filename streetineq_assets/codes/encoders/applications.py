"""Networks of `keras.applications`: VGG16's fc6, which is the paper's, and any layer of another.

Other networks than VGG16's fc6 take red, green and blue as Keras's own `preprocess_input` makes
them, of pictures scaled and cropped as the paper's to the size that the network was made for.
"""

import math
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from streetineq_assets.codes.encoders import vgg16
from streetineq_assets.codes.encoders.encoder import Network, Preprocessing
from streetineq_assets.codes.encoders.publishers import of_application
from streetineq_assets.codes.encoders.weights import checked_file, digest_arrays
from streetineq_assets.codes.preprocess import PIXELS_LEFT, SIDE, rgb_view
from streetineq_assets.encoder_settings import IMAGENET, KerasEncoder
from streetineq_assets.errors import SourceError, StudyError

if TYPE_CHECKING:
    import keras

WHERE_FROM = (
    f"put Keras's {vgg16.WEIGHT_FILE} ({vgg16.WEIGHT_FILE_SIZE}) there, "
    'or set encoder.weights in study.toml to "imagenet" (downloads it) or "random"'
)


def build(settings: KerasEncoder, root: Path, seed: int) -> Network:
    """The network that a study names.

    Args:
        root: the study's folder, to which the weight file's path is relative.
        seed: of random weights.

    Raises:
        SourceMissingError, SourceError: as `vgg16.build_encoder`, and for a wrong sha256.
        StudyError: no such backbone or layer.
    """
    file, sha256 = _file(settings, root)
    if settings.is_fc6:
        model = vgg16.build_encoder(file or "random", seed)
    else:
        model = _build_backbone(settings, file, seed)
    label = settings.weights if file is None else "file"  # its sha256 says which
    if file and vgg16.is_published_file(file):
        label = IMAGENET
    side = model.input_shape[1]
    return Network(
        forward=model,
        input_shape=(side, side, 3),
        backbone=settings.backbone,
        layer=settings.layer,
        width=int(model.output_shape[-1]),
        preprocessing=_preprocessing(settings, side),
        weights=label,
        weights_sha256=sha256 or digest_arrays(model),
        licence=of_application(settings.backbone) if label == IMAGENET else "",
        n_parameters=int(model.count_params()),
    )


def weights_input(settings: KerasEncoder, root: Path, seed: int) -> str:
    """The weights' digest for the skip key: a file's sha256, or their recipe.

    Raises:
        SourceMissingError, SourceError: as `weights.checked_file`.
    """
    if settings.is_random:
        return f"random, seed {seed}"
    if settings.weights == IMAGENET:
        return "imagenet, as Keras publishes it"
    path = root / settings.weights
    return checked_file(path, settings.weights_sha256, remedy=WHERE_FROM)


def _file(settings: KerasEncoder, root: Path) -> tuple[Path | None, str | None]:
    """The weight file with its sha256, where there is one."""
    if settings.is_random or (settings.weights == IMAGENET and not settings.is_fc6):
        return None, None
    imagenet = settings.weights == IMAGENET
    path = vgg16.download_weights() if imagenet else root / settings.weights
    return path, checked_file(path, settings.weights_sha256, remedy=WHERE_FROM)


def _preprocessing(settings: KerasEncoder, side: int) -> Preprocessing:
    antialias = settings.preprocessing == "antialias"
    view = None if settings.is_fc6 else partial(rgb_view, side=side, antialias=antialias)
    least = PIXELS_LEFT * side // SIDE if antialias else None
    return Preprocessing(settings.preprocessing, antialias, least, view)


def _build_backbone(settings: KerasEncoder, file: Path | None, seed: int) -> "keras.Model":
    """A layer of a network, averaged over space: red, green, blue in 0..255 to codes."""
    import keras

    module, make = find_application(settings.backbone)
    source = IMAGENET if settings.weights == IMAGENET else None
    network = make(weights=source, include_top=True)
    if file:
        _load_file(network, file)
    elif settings.is_random:
        _randomise(network, seed)
    rgb = keras.Input(network.input_shape[1:], name="rgb")
    part = keras.Model(network.input, _layer(network, settings).output)
    codes = part(module.preprocess_input(rgb))
    if len(codes.shape) == 4:
        codes = keras.layers.GlobalAveragePooling2D()(codes)
    return keras.Model(rgb, keras.layers.Flatten()(codes), name=settings.backbone)


def _layer(network: "keras.Model", settings: KerasEncoder) -> "keras.Layer":
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


def find_application(backbone: str) -> tuple[Any, Callable[..., "keras.Model"]]:
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
