"""VGG16 up to fc6 before its ReLU: its layers, its weight file, its random weights.

Architecture: Simonyan and Zisserman 2015, configuration D; layer names are Keras's. fc6 is the
first of the two 4096-unit layers, `fc1` in Keras, taken before its ReLU as in Suel et al. 2019, so
codes are negative as often as not.
"""

import hashlib
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from streetineq_assets.codes.hdf5 import open_hdf5
from streetineq_assets.errors import SourceError, SourceMissingError, StoreError

if TYPE_CHECKING:
    import h5py
    import keras

WIDTH = 4096
WEIGHT_FILE = "vgg16_weights_tf_dim_ordering_tf_kernels.h5"
WEIGHT_FILE_SIZE = "553 MB"
WEIGHT_FILE_MD5 = "64373286793e3c8b2b4e3219cbf3544b"  # as Keras publishes it
_WEIGHT_URL = f"https://storage.googleapis.com/tensorflow/keras-applications/vgg16/{WEIGHT_FILE}"

_BLOCKS = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))  # convolutions, channels
_Arrays = tuple[np.ndarray, np.ndarray]


def build_encoder(weights: str | Path, seed: int | None = None) -> "keras.Model":
    """The network, with its weights.

    Args:
        weights: path of Keras's VGG16 weight file, `"imagenet"` for Keras's own download (kept in
            its cache), or `"random"`.
        seed: of random weights; None is 0. They are He-normal: Gaussian with variance 2 / fan-in
            and zero biases, by NumPy's PCG64, so the same on every machine and device.

    Returns:
        Keras model (n, 224, 224, 3) -> (n, 4096), float32: images as `preprocess` makes them to
        fc6 before its ReLU. It takes 30.9 GFLOP for an image.

    Raises:
        SourceMissingError: the weight file is missing, or cannot be downloaded.
        SourceError: the file is not one of VGG16 with its top layers.
    """
    if weights == "random":
        arrays = random_weights(seed or 0)
    else:
        path = download_weights() if weights == "imagenet" else Path(weights)
        arrays = read_weights(path)
    model = _build_layers()
    for name, kernel_and_bias in arrays:
        model.get_layer(name).set_weights(kernel_and_bias)
    return model


def weight_shapes() -> dict[str, tuple[tuple[int, ...], tuple[int]]]:
    """Shapes of kernel and bias by layer name, in the order of the forward pass."""
    shapes = {}
    channels_in = 3
    for block, (convolutions, channels) in enumerate(_BLOCKS, start=1):
        for number in range(1, convolutions + 1):
            kernel = (3, 3, channels_in, channels)
            shapes[f"block{block}_conv{number}"] = (kernel, (channels,))
            channels_in = channels
    shapes["fc1"] = ((7 * 7 * channels_in, WIDTH), (WIDTH,))
    return shapes


def random_weights(seed: int) -> Iterator[tuple[str, _Arrays]]:
    """Layer name, kernel and bias: He et al. 2015, from one stream of random numbers per layer."""
    for number, (name, (kernel, bias)) in enumerate(weight_shapes().items()):
        generator = np.random.Generator(np.random.PCG64([seed, number]))
        normal = generator.standard_normal(kernel, dtype=np.float32)
        normal *= np.float32(math.sqrt(2 / math.prod(kernel[:-1])))
        yield name, (normal, np.zeros(bias, np.float32))


def read_weights(path: Path) -> Iterator[tuple[str, _Arrays]]:
    """Layer name, kernel and bias from a Keras weight file, old or new layout, or a saved `.h5`.

    Raises:
        SourceMissingError: there is no such file.
        SourceError: it is not HDF5, or a layer is missing or of another shape.
        FileLockedError: another program holds it, or its file system has no locks.
    """
    if not path.is_file():
        raise SourceMissingError(
            f"{path} is missing: put Keras's {WEIGHT_FILE} ({WEIGHT_FILE_SIZE}) there, "
            'or set weights = "random" in study.toml to try the platform without it'
        )
    try:
        file = open_hdf5(path)
    except StoreError as error:
        raise SourceError(f"{error}: expected Keras's {WEIGHT_FILE}") from error
    with file:
        layers = _datasets_by_layer(file)
        for name, shapes in weight_shapes().items():
            yield name, _arrays(path, name, layers.get(name, []), shapes)


def download_weights() -> Path:
    """Keras's copy of the ImageNet weights: from its cache, else from its server.

    Raises:
        SourceMissingError: both fail; the message says where to put the file.
    """
    import keras

    home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras") / "models"
    try:
        file = keras.utils.get_file(
            WEIGHT_FILE, _WEIGHT_URL, cache_subdir="models", file_hash=WEIGHT_FILE_MD5
        )
    except Exception as error:  # Keras raises no narrower one when offline
        raise SourceMissingError(
            f"the ImageNet weights could not be downloaded ({error}): on a machine with a network "
            f"get {WEIGHT_FILE} ({WEIGHT_FILE_SIZE}) and put it into {home}"
        ) from error
    return Path(file)


def is_published_file(path: Path) -> bool:
    """Whether a weight file is the one that Keras publishes, by its MD5."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False))
    return digest.hexdigest() == WEIGHT_FILE_MD5


def _build_layers() -> "keras.Model":
    import keras

    inputs = keras.Input((224, 224, 3), name="bgr_minus_means")
    x = inputs
    for block, (convolutions, channels) in enumerate(_BLOCKS, start=1):
        for number in range(1, convolutions + 1):
            x = keras.layers.Conv2D(
                channels,
                3,
                padding="same",
                activation="relu",
                kernel_initializer="zeros",
                name=f"block{block}_conv{number}",
            )(x)
        x = keras.layers.MaxPooling2D(2, name=f"block{block}_pool")(x)
    x = keras.layers.Flatten(name="flatten")(x)
    outputs = keras.layers.Dense(WIDTH, kernel_initializer="zeros", name="fc1")(x)
    return keras.Model(inputs, outputs, name="vgg16_fc6")


def _datasets_by_layer(file: "h5py.File") -> dict[str, list["h5py.Dataset"]]:
    """Kernel and bias of every layer, whichever Keras wrote the file."""
    if "layers" in file:  # Keras 3, `.weights.h5`
        groups = [group["vars"] for group in file["layers"].values() if "vars" in group]
        return {str(group.attrs.get("name")): [group[n] for n in sorted(group)] for group in groups}
    root = file.get("model_weights", file)
    names = {name: group.attrs.get("weight_names", []) for name, group in root.items()}
    return {
        layer: [root[layer][n.decode() if isinstance(n, bytes) else n] for n in weights]
        for layer, weights in names.items()
    }


def _arrays(
    path: Path, name: str, datasets: list["h5py.Dataset"], wanted: tuple[tuple[int, ...], ...]
) -> _Arrays:
    shapes = tuple(dataset.shape for dataset in datasets)
    if shapes != wanted:
        has = " and ".join(str(shape) for shape in shapes) or "none"
        raise SourceError(
            f"{path}: layer {name} should have weights of shape {wanted[0]} and {wanted[1]}, it "
            f"has {has}: this is not VGG16 with its top layers; expected Keras's {WEIGHT_FILE}"
        )
    kernel, bias = (np.asarray(dataset[()], dtype=np.float32) for dataset in datasets)
    return kernel, bias
