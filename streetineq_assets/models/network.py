"""The network: the codes of one location's views in, the ordinal head's outputs out.

Layers as in the original: 512-256-128, affine, batch normalisation, ReLU, shared by the views; the
mean of the views (or attention, `pooling`); 64 in the same way; the head. Everything but
`cumulative_link`'s thresholds is built from Keras's own layers, so that a saved network opens in
any Keras, and here without making what its file describes.

The number of views is no part of the weights, and the order of the views changes nothing. Where
some are absent, a second input says which are there: the others are in no statistic and no mean.
"""

import contextlib
import io
import json
import warnings
import zipfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
from numpy.typing import NDArray

from streetineq_assets.errors import SourceError
from streetineq_assets.images.catalogue import VIEWS
from streetineq_assets.models.heads import HEADS
from streetineq_assets.models.pooling import pool_views
from streetineq_assets.profiles import PROFILES, Profile

SHARED_UNITS = (512, 256, 128)
POOLED_UNITS = 64
BLOCKS = len(SHARED_UNITS) + 1
# Keras divides by the deviation of a normal cut at two deviations; the original did not.
_TRUNCATED_SD = 0.87962566103423978
_SMALLEST_SD = 1e-6
# What Keras raises at a layer or an option that it does not know, and at weights of another form.
_Drawn = keras.initializers.VarianceScaling
_NOT_FOR_THIS_KERAS = (
    TypeError,
    ValueError,
    LookupError,
    AttributeError,
    ImportError,
    OSError,
    RuntimeError,
)
_LONGEST_REASON = 200
_AS_IT_IS = zipfile.ZIP_STORED


def build_network(
    profile: Profile | str,
    width: int = 4096,
    *,
    views: int = len(VIEWS),
    masked: bool = False,
    outcomes: int = 1,
    seed: int = 0,
    dropout: type[keras.layers.Dropout] = keras.layers.Dropout,
) -> keras.Model:
    """A network with fresh weights: (n, views, width) codes -> (n, outcomes * head's units).

    With the binomial head and one outcome that is (n, 1), the score h.

    Args:
        profile: a profile, or its name.
        width: length of one view's code.
        views: of a location, one or more.
        masked: whether views may be absent: the network then takes two inputs, the codes and
            (n, views) bool, which are there, one at least.
        outcomes: heads on the one trunk, for joint training.
        seed: decides the initial weights: Glorot normal, sd sqrt(1.3 / mean of fan-in and fan-out),
            cut at two deviations; biases 0, or those of the head.
        dropout: the kind of the layers that drop units.

    Raises:
        KeyError: no profile has this name.
        TrainingError: as `pool_views`.
    """
    profile = PROFILES[profile] if isinstance(profile, str) else profile
    codes = keras.Input((views, width), name="codes")
    present = keras.Input((views,), dtype="bool", name="present") if masked else None
    x = codes
    if profile.standardise:
        x = _standardiser()(x)
    for number, units in enumerate(SHARED_UNITS, start=1):
        x = _block(x, number, units, profile, seed=seed, dropout=dropout, present=present)
    own = [_glorot(seed, BLOCKS + 2 + number) for number in range(2)]
    x = pool_views(x, profile.pooling, initializers=own, present=present)
    x = _block(x, BLOCKS, POOLED_UNITS, profile, seed=seed, dropout=dropout)
    head = HEADS[profile.head]
    inputs = [codes, present] if masked else codes
    network = keras.Model(
        inputs, head.layer(outcomes, _glorot(seed, BLOCKS + 1))(x), name="streetineq"
    )
    if head.bias:
        network.get_layer("head").bias.assign(np.tile(head.bias, outcomes))
    return network


def draw_weights(network: keras.Model, seed: int) -> None:
    """Give a network the weights at which `build_network` starts by this seed.

    Args:
        network: as `build_network` makes it by a seed of 0; what is drawn by no seed is left.
    """
    for layer in network.layers:
        if isinstance(layer, keras.Sequential):
            draw_weights(layer, seed)
        elif isinstance(drawn := getattr(layer, "kernel_initializer", None), _Drawn):
            layer.kernel.assign(_glorot(seed, drawn.seed)(layer.kernel.shape))


def set_standardisation(
    network: keras.Model, mean: NDArray[np.floating], sd: NDArray[np.floating]
) -> None:
    """Give the network the statistics of its fold's training rows; each (width,).

    Deviations are floored at 1e-6. A network that does not standardise is left as it is.
    """
    if "standardise" not in [layer.name for layer in network.layers]:
        return
    floored = np.maximum(sd, _SMALLEST_SD)
    network.get_layer("standardise").set_weights([mean, np.square(floored, dtype=np.float64)])


def freeze_blocks(network: keras.Model, blocks: int) -> None:
    """Keep the first `blocks` of the four blocks as they are, statistics included."""
    for number in range(1, blocks + 1):
        network.get_layer(f"dense_{number}").trainable = False
        network.get_layer(f"norm_{number}").trainable = False


def load_network(
    path: Path,
    profile: Profile,
    width: int,
    *,
    views: int = len(VIEWS),
    masked: bool = False,
) -> keras.Model:
    """The profile's network with the weights of a `.keras` file, which may come from a stranger.

    The layers are made here. Those that the file describes are compared with them by their kind,
    and never made: one that carries code does not run, and one of any size takes no memory.

    Args:
        width: length of one view's code.
        views, masked: of the codes that it is to take, whatever those were that it learned from: as
            `build_network`.

    Raises:
        SourceError: the file is of another network, or of a Keras that writes files otherwise; the
            message names that one's version.
        TrainingError: as `build_network`.
    """
    try:
        described = _described_layers(path)
        smallest = width * SHARED_UNITS[0] * np.dtype(np.float32).itemsize
        if not 0 < smallest < path.stat().st_size:
            raise ValueError(f"it is too small for codes of {width} values")
        has_mask = described["InputLayer"] > 1
        saved = build_network(profile, width, masked=has_mask)
        made = Counter(layer["class_name"] for layer in saved.get_config()["layers"])
        if odd := (described - made) or (made - described):
            raise ValueError(f"its layers differ from the profile's by {', '.join(odd)}")
        _load_all_weights(saved, path)
    except (*_NOT_FOR_THIS_KERAS, zipfile.BadZipFile) as error:
        what = " ".join(str(error).split())[:_LONGEST_REASON]
        raise SourceError(
            f"{path.name} was saved by Keras {_saved_by(path)}, and Keras {keras.__version__} here "
            f"cannot open it ({what}): export it again with this version, or install that one"
        ) from error
    if (views, masked) == (len(VIEWS), has_mask):
        return saved
    network = build_network(profile, width, views=views, masked=masked)
    network.set_weights(saved.get_weights())
    return network


def _load_all_weights(network: keras.Model, path: Path) -> None:
    """Load them, and refuse a file that lacks some: Keras warns, and keeps those of the start."""
    with warnings.catch_warnings(record=True) as skipped:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", UserWarning)
        network.load_weights(path)
    if skipped:
        raise ValueError(str(skipped[0].message))


def _described_layers(path: Path) -> Counter[str]:
    """How many layers of each kind there are, by the file's own account.

    Raises:
        ValueError: a member is packed, or weights are in pieces or in other files, as Keras never
            writes them: a few bytes could stand for terabytes.
    """
    with zipfile.ZipFile(path) as file:
        packed = [each.filename for each in file.infolist() if each.compress_type != _AS_IT_IS]
        if packed:
            raise ValueError(f"{packed[0]} is packed")
        with h5py.File(io.BytesIO(file.read("model.weights.h5"))) as weights:
            weights.visititems(_require_contiguous)
        layers = json.loads(file.read("config.json"))["config"]["layers"]
        return Counter(str(layer["class_name"]) for layer in layers)


def _require_contiguous(name: str, item: h5py.Group | h5py.Dataset) -> None:
    if isinstance(item, h5py.Dataset) and (item.chunks or item.external or item.is_virtual):
        raise ValueError(f"its weights {name} are not in one piece")


def _saved_by(path: Path) -> str:
    with (
        contextlib.suppress(zipfile.BadZipFile, KeyError, ValueError),
        zipfile.ZipFile(path) as file,
    ):
        return str(json.loads(file.read("metadata.json"))["keras_version"])
    return "of an unknown version"


def copy_head(joint: keras.Model, profile: Profile, position: int) -> keras.Model:
    """The network of one outcome out of a joint network of several.

    Args:
        position: of the outcome among the joint network's heads.
    """
    alone = build_network(profile, **_shape(joint))
    units = HEADS[profile.head].units
    for layer in alone.layers:
        weights = joint.get_layer(layer.name).get_weights()
        if layer.name == "head":
            weights = _slice_head(weights, profile.head, position, units)
        layer.set_weights(weights)
    return alone


def _slice_head(weights: Sequence[NDArray], head: str, position: int, units: int) -> list[NDArray]:
    if head == "cumulative_link":
        latent, thresholds = weights
        return [latent[:, position : position + 1], thresholds[position : position + 1]]
    kernel, bias = weights
    cut = slice(position * units, (position + 1) * units)
    return [kernel[:, cut], bias[cut]]


def _shape(network: keras.Model) -> dict[str, Any]:
    """What `build_network` was asked for: width, views, and whether some may be absent."""
    views, width = network.inputs[0].shape[1:]
    return {"width": width, "views": views, "masked": len(network.inputs) > 1}


def _block(
    x: Any,
    number: int,
    units: int,
    profile: Profile,
    *,
    seed: int,
    dropout: type[keras.layers.Dropout],
    present: Any = None,
) -> Any:
    dense = keras.layers.Dense(
        units, kernel_initializer=_glorot(seed, number), name=f"dense_{number}"
    )
    norm = keras.layers.BatchNormalization(
        momentum=profile.batch_norm_momentum, epsilon=1e-3, name=f"norm_{number}"
    )
    x = dense(x)
    if profile.batch_norm == "per_view" and number < BLOCKS and present is None:
        # Each view by its own batch's statistics; the moving averages get one update per view.
        views = keras.ops.unstack(x, x.shape[1], axis=1)
        x = keras.ops.stack([norm(view) for view in views], axis=1)
    else:
        x = norm(x) if present is None else norm(x, mask=present)
    x = keras.layers.ReLU(name=f"relu_{number}")(x)
    if profile.dropout:
        x = dropout(profile.dropout, seed=seed + number, name=f"dropout_{number}")(x)
    return x


def _standardiser() -> keras.layers.Layer:
    """(x - mean) / sd with fixed statistics: a batch normalisation that never trains."""
    return keras.layers.BatchNormalization(
        center=False, scale=False, epsilon=0.0, trainable=False, name="standardise"
    )


def _glorot(seed: int, number: int) -> keras.initializers.Initializer:
    return _Drawn(
        scale=1.3 * _TRUNCATED_SD**2,
        mode="fan_avg",
        distribution="truncated_normal",
        seed=seed * 16 + number,
    )
