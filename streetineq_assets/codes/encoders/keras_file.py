"""A whole network in a `.keras` file: RGB in 0..255 to the output of one of its layers.

A file may name code to be run as its layers. Only layers of Keras are opened, in its safe mode, and
none that runs what the file brings along.
"""

import difflib
import json
import zipfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streetineq_assets.codes.encoders.encoder import Network, Preprocessing
from streetineq_assets.codes.encoders.foreign_layers import foreign_layers
from streetineq_assets.codes.encoders.weights import checked_file
from streetineq_assets.codes.preprocess import PIXELS_LEFT, SIDE, rgb_view
from streetineq_assets.encoder_settings import KerasFileEncoder
from streetineq_assets.errors import SourceError, StudyError

if TYPE_CHECKING:
    import keras

_REMEDY = "put the network there, or correct encoder.weights in study.toml"
_PREPROCESSING = "RGB in 0..255, short side scaled with antialiasing, middle"
_MOST_NAMED = 8  # layers


def build(settings: KerasFileEncoder, root: Path, seed: int) -> Network:
    """The network in the file that a study names, up to the layer that it names.

    Outputs in rows and columns are averaged over these.

    Args:
        root: the study's folder, to which the file's path is relative.
        seed: of no use: the weights are the file's.

    Raises:
        SourceMissingError: there is no file.
        SourceError: it is another than study.toml states, no network that Keras can open, has
            layers of others, or does not take one square picture of three channels.
        StudyError: no such layer, or its output is neither a vector nor a map.
    """
    path = root / settings.weights
    sha256 = weights_input(settings, root, seed)
    require_layer(path, settings.layer)
    network = _opened(path)
    side = _side(path, network)
    model = _up_to_layer(path, network, settings.layer)
    view = partial(rgb_view, side=side)
    return Network(
        forward=model,
        input_shape=(side, side, 3),
        backbone=network.name,
        layer=settings.layer,
        width=int(model.output_shape[-1]),
        preprocessing=Preprocessing(_PREPROCESSING, True, PIXELS_LEFT * side // SIDE, view),
        weights="file",
        weights_sha256=sha256,
        n_parameters=int(model.count_params()),
    )


def weights_input(settings: KerasFileEncoder, root: Path, seed: int) -> str:  # noqa: ARG001
    """The file's sha256, for the skip key.

    Raises:
        SourceMissingError, SourceError: as `weights.checked_file`.
    """
    return checked_file(root / settings.weights, settings.weights_sha256, remedy=_REMEDY)


def require_layer(path: Path, name: str) -> None:
    """Refuse a file by its settings alone, before anything of it is opened; without TensorFlow.

    Raises:
        SourceError: it is none of Keras's, or has layers that are not.
        StudyError: it has no layer of that name.
    """
    config = _settings_in(path)
    if foreign := sorted(set(foreign_layers(config))):
        raise SourceError(
            f"{path} has {', '.join(foreign)}, which would run code that is not of Keras: save the "
            "network with Keras's own layers alone, such as Rescaling in the place of a Lambda"
        )
    try:
        names = [layer["config"]["name"] for layer in config["config"]["layers"]]
    except (KeyError, TypeError) as error:
        raise SourceError(_no_network(path, "its settings name no layers")) from error
    if name not in names:
        close = difflib.get_close_matches(name, names, n=1)
        hint = f"did you mean {close[0]}?" if close else "its last are " + _last(names)
        raise StudyError(f"encoder.layer is {name!r}, which {path} does not have: {hint}")


def _settings_in(path: Path) -> dict[str, Any]:
    """The network's settings, but for those by which it was trained: they are of no account."""
    try:
        with zipfile.ZipFile(path) as archive:
            return json.loads(archive.read("config.json")) | {"compile_config": None}
    except (zipfile.BadZipFile, KeyError, TypeError, ValueError, EOFError, OSError) as error:
        raise SourceError(_no_network(path, error)) from error


def _opened(path: Path) -> "keras.Model":
    import keras

    try:
        network = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras has none of its own for what it cannot open
        raise SourceError(_no_network(path, error)) from error
    _compute_as_now(network)
    return network


def _compute_as_now(layer: Any) -> None:
    """Let a network, and what is in it, compute in the study's precision, not in its file's."""
    import keras

    layer.dtype_policy = keras.config.dtype_policy()
    for inner in getattr(layer, "layers", ()):
        _compute_as_now(inner)


def _no_network(path: Path, error: Exception | str) -> str:
    why = (str(error).strip() or type(error).__name__).splitlines()[0]
    return (
        f"{path} is no network that Keras can open ({why}): expected a file whose name ends in "
        ".keras, as `model.save` of Keras 3 writes it"
    )


def _side(path: Path, network: "keras.Model") -> int:
    shapes = [tuple(each.shape[1:]) for each in getattr(network, "inputs", None) or []]
    if len(shapes) == 1 and len(shapes[0]) == 3:
        height, width, channels = shapes[0]
        if height and height == width and channels == 3:
            return int(height)
    found = " and ".join(map(str, shapes)) or "nothing that is known before it runs"
    raise SourceError(
        f"{path} takes {found}: expected one picture of a fixed square size with three channels, "
        "such as (224, 224, 3)"
    )


def _up_to_layer(path: Path, network: "keras.Model", name: str) -> "keras.Model":
    import keras

    names = [layer.name for layer in network.layers]
    uses = {each["config"]["name"]: each.get("inbound_nodes") for each in _layers(network)}
    if len(uses[name] or ()) > 1:
        raise StudyError(
            f"encoder.layer is {name!r}, which {path} uses more than once: name a layer that has "
            f"one output; its last are {_last(names)}"
        )
    output = network.get_layer(name).output
    shape = tuple(getattr(output, "shape", ()))
    if len(shape) not in (2, 4) or None in shape[1:]:
        raise StudyError(
            f"encoder.layer is {name!r}, whose output in {path} is {shape[1:]}: expected a vector, "
            f"or a map of rows, columns and channels; its last are {_last(names)}"
        )
    if len(shape) == 4:
        output = keras.layers.GlobalAveragePooling2D()(output)
    return keras.Model(network.inputs[0], output, name=network.name)


def _layers(network: "keras.Model") -> list[dict[str, Any]]:
    return network.get_config()["layers"]


def _last(names: list[str]) -> str:
    return ", ".join(names[-_MOST_NAMED:])
