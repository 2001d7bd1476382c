"""Image encoders of KerasHub, from the folder of a preset as `save_to_preset` writes it.

Pictures are made into the network's input by the image converter that lies in the folder: a layer
of KerasHub, used as it is. It gets the upright picture at full size in whole grey levels, and so
rounds to them and cuts off at 0 and 255 as the networks' own publishers do.
"""

import hashlib
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from streetineq_assets.codes.encoders.encoder import Network, Preprocessing
from streetineq_assets.codes.encoders.foreign_layers import KERAS, foreign_layers
from streetineq_assets.codes.encoders.publishers import APACHE, DINOV3, MIT
from streetineq_assets.codes.encoders.weights import require_sha256
from streetineq_assets.digests import digest_file
from streetineq_assets.encoder_settings import HubEncoder
from streetineq_assets.errors import SourceError, SourceMissingError, StudyError

if TYPE_CHECKING:
    import keras

    from streetineq_assets.codes.preprocess import Decoded

_CONFIG, _CONVERTER = "config.json", "image_converter.json"
_WEIGHTS, _SHARDS = "model.weights.h5", "model.weights.json"
# What of a converter's configuration makes no difference to a picture.
_NAMES = ("name", "trainable", "dtype", "bounding_box_format")


class _Tower(NamedTuple):
    """How codes are taken from one class of backbones.

    Attributes:
        licence: under which its publisher gives out the weights.
        poolings: those that it has, the publisher's own first.
        n_class: tokens before those of registers and patches.
        tokens: the layer of its vision encoder that gives the tokens, where it has others.
    """

    licence: str
    poolings: tuple[str, ...]
    n_class: int
    tokens: str = ""


# Sources: Oquab et al. 2023 and Darcet et al. 2023 (DINOv2), Simeoni et al. 2025 (DINOv3),
# Radford et al. 2021 (CLIP), Zhai et al. 2023 (SigLIP), Dosovitskiy et al. 2020 (ViT), Touvron et
# al. 2020 (DeiT, with a second token, of distillation).
_TOWERS = {
    "DINOV2Backbone": _Tower(APACHE, ("cls", "mean"), n_class=1),
    "DINOV3Backbone": _Tower(DINOV3, ("cls", "mean"), n_class=1),
    "CLIPBackbone": _Tower(MIT, ("embedding", "cls", "mean"), n_class=1, tokens="layer_norm"),
    "SigLIPBackbone": _Tower(APACHE, ("embedding", "mean"), n_class=0, tokens="post_layer_norm"),
    "ViTBackbone": _Tower(APACHE, ("cls", "mean"), n_class=1),
    "DeiTBackbone": _Tower(APACHE, ("cls", "mean"), n_class=2),
}


def build(settings: HubEncoder, root: Path, seed: int) -> Network:
    """The network that a study names.

    Args:
        root: the study's folder, to which the preset's is relative.
        seed: not used: a preset has weights.

    Raises:
        SourceMissingError: there is no such folder.
        SourceError: it is not a whole preset of an image encoder with its converter, its weights
            are not finite, or it is another than study.toml states.
        StudyError: KerasHub is not installed, or the backbone has no such pooling.
    """
    hub = _keras_hub()
    folder = root / settings.weights
    sha256 = weights_input(settings, root, seed)
    backbone, converter = _load(folder, hub)
    name = type(backbone).__name__
    tower = _TOWERS[name]
    shape = _input_shape(folder, backbone, converter)
    pooling = _pooling(settings, name, backbone)
    model = _pooled(backbone, tower, pooling, shape)
    _refuse_not_finite(folder, model)
    return Network(
        forward=model,
        input_shape=shape,
        backbone=name,
        layer=pooling,
        width=int(model.output_shape[-1]),
        preprocessing=Preprocessing(_in_words(converter), prepare=_prepare(converter)),
        weights="file",
        weights_sha256=sha256,
        licence=tower.licence,
        n_parameters=int(model.count_params()),
    )


def weights_input(settings: HubEncoder, root: Path, seed: int) -> str:  # noqa: ARG001 - no random one
    """The sha256 of a preset: of the names and sha256 of its weights and of what describes them.

    Tokenizers, cards and the time at which it was saved do not count.

    Raises:
        SourceMissingError: there is no such folder.
        SourceError: a file of the preset is missing, or it is another than study.toml states.
    """
    folder = root / settings.weights
    digest = hashlib.sha256()
    for path in _files(folder):
        digest.update(f"{path.name} {digest_file(path)}\n".encode())
    require_sha256(folder, digest.hexdigest(), settings.weights_sha256)
    return digest.hexdigest()


# -- the folder ----------------------------------------------------------------------------------


def _files(folder: Path) -> list[Path]:
    """The files that decide codes, each of which is there."""
    if not folder.is_dir():
        raise SourceMissingError(
            f"{folder} is missing: put the folder of a KerasHub preset there, as `save_to_preset` "
            "writes it, or correct encoder.weights in study.toml"
        )
    _require_image_encoder(_json(folder / _CONFIG))
    if not (folder / _CONVERTER).is_file():
        raise SourceError(
            f"{folder} has no {_CONVERTER}, by which pictures are made into the network's input: "
            "save the preset's image converter into it too (`converter.save_to_preset`)"
        )
    weights = [_WEIGHTS] if (folder / _WEIGHTS).is_file() else _shards(folder)
    for name in weights:
        if Path(name).name != name or not (folder / name).is_file():
            raise SourceError(f"{folder} has no {name}: copy the whole preset again")
    return [folder / name for name in sorted({_CONFIG, _CONVERTER, *weights})]


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise SourceError(
            f"{path.parent} has no {path.name}: copy the whole KerasHub preset again"
        ) from error
    except ValueError as error:
        raise SourceError(f"{path} is not JSON: copy the KerasHub preset again") from error
    if not isinstance(content, dict):
        raise SourceError(f"{path} holds no settings: expected those of a KerasHub preset")
    return content


def _shards(folder: Path) -> list[str]:
    """The files of weights that are too large for one, with the one that lists them."""
    if not (folder / _SHARDS).is_file():
        return [_WEIGHTS]
    parts = _json(folder / _SHARDS).get("weight_map", {}).values()
    return [
        _SHARDS,
        *{name for part in parts for name in ([part] if isinstance(part, str) else part)},
    ]


def _require_image_encoder(config: dict[str, Any]) -> None:
    """Refuse presets of another task, and folders that KerasHub did not write."""
    if "model_type" in config and "registered_name" not in config:
        raise SourceError(
            f"encoder.weights is a folder of Hugging Face ({config['model_type']}), for which "
            "KerasHub has no image converter: load it once with KerasHub, and save backbone and "
            "converter with `save_to_preset`"
        )
    name = str(config.get("registered_name")).rpartition(">")[2]
    if name not in _TOWERS:
        raise SourceError(
            f"encoder.weights is a preset of {name}, which is no image encoder that is known here: "
            f"expected one of {', '.join(_TOWERS)}"
        )


# -- the network ---------------------------------------------------------------------------------


def _keras_hub() -> ModuleType:
    try:
        import keras_hub
    except ModuleNotFoundError as error:
        raise StudyError(
            'encoder.family is "hub" in study.toml, which takes KerasHub: run `uv sync --extra hub`'
        ) from error
    return keras_hub


def _load(folder: Path, hub: ModuleType) -> tuple[Any, Any]:
    """The backbone, in the arithmetic that is set, and the image converter, in float32.

    `from_preset` would leave the parts of CLIP and SigLIP in the one that they were saved in.
    """
    import keras

    policy = keras.config.dtype_policy().name
    weights = _WEIGHTS if (folder / _WEIGHTS).is_file() else _SHARDS
    load = keras.saving.deserialize_keras_object
    settings = [_json(folder / name) for name in (_CONFIG, _CONVERTER)]
    if foreign := sorted(set(foreign_layers(settings, packages=(*KERAS, "keras_hub")))):
        raise SourceError(
            f"{folder} has {', '.join(foreign)}, which would run code that is not of KerasHub: get "
            "the preset from its publisher"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # says which weights would stay random
            backbone = load(_with_dtype(settings[0], policy))
            backbone.load_weights(folder / weights)
            converter = load(_with_dtype(settings[1], "float32"))
    except (ValueError, TypeError, KeyError, OSError, AttributeError, UserWarning) as error:
        message = str(error).strip().splitlines()[0]
        raise SourceError(
            f"{folder} is no whole KerasHub preset ({message}): copy it again, or save it again "
            "with the installed version of KerasHub"
        ) from error
    if not isinstance(converter, hub.layers.ImageConverter):
        raise SourceError(f"{folder / _CONVERTER} is no image converter: copy the preset again")
    return backbone, converter


def _with_dtype(content: Any, policy: str) -> Any:
    if isinstance(content, list):
        return [_with_dtype(each, policy) for each in content]
    if not isinstance(content, dict):
        return content
    return {
        key: policy if key == "dtype" else _with_dtype(each, policy)
        for key, each in content.items()
    }


def _input_shape(folder: Path, backbone: Any, converter: Any) -> tuple[int, int, int]:
    takes = tuple(getattr(backbone, "vision_encoder", backbone).image_shape)
    makes = tuple(converter.image_size or ())
    if makes != takes[:2]:
        made, taken = (" x ".join(map(str, size)) or "any" for size in (makes, takes[:2]))
        raise SourceError(
            f"{folder}: its image converter makes pictures of {made} pixels, its backbone takes "
            f"{taken}: save both again with the same size"
        )
    return takes


def _pooling(settings: HubEncoder, name: str, backbone: Any) -> str:
    has = _TOWERS[name].poolings
    if not getattr(backbone, "use_class_token", True):
        has = tuple(pooling for pooling in has if pooling != "cls")
    pooling = settings.pooling or has[0]
    if pooling not in has:
        raise StudyError(
            f"encoder.pooling is {pooling!r}, which the preset's {name} does not have: expected "
            + " or ".join(has)
        )
    return pooling


def _pooled(
    backbone: Any, tower: _Tower, pooling: str, shape: tuple[int, int, int]
) -> "keras.Model":
    """From images to codes, without what else the backbone has, such as an encoder of text."""
    import keras

    images = keras.Input(shape, name="images")
    if pooling == "embedding":
        return keras.Model(images, backbone.get_vision_embeddings(images))
    vision = getattr(backbone, "vision_encoder", backbone)
    output = getattr(vision, tower.tokens).output if tower.tokens else vision.output
    tokens = keras.Model(vision.inputs[0], output)(images)
    if pooling == "cls":
        return keras.Model(images, tokens[:, 0])
    has_class = getattr(vision, "use_class_token", True)
    n_leading = tower.n_class * has_class + getattr(vision, "num_register_tokens", 0)
    return keras.Model(images, keras.ops.mean(tokens[:, n_leading:], axis=1))


def _refuse_not_finite(folder: Path, model: "keras.Model") -> None:
    for variable in model.weights:
        if not np.isfinite(np.asarray(variable)).all():
            raise SourceError(
                f"{folder}: the weights of {variable.path} are not all finite numbers: copy the "
                "preset again, or ask its publisher"
            )


# -- its input -----------------------------------------------------------------------------------


def _prepare(converter: Any) -> "Callable[[Decoded], np.ndarray]":
    import tensorflow as tf

    def prepare(decoded: "Decoded") -> np.ndarray:
        with tf.device("CPU"):
            return np.asarray(converter(np.asarray(decoded.rgb)), dtype=np.float32)

    return prepare


def _in_words(converter: Any) -> str:
    """The converter's class and all of its settings that matter, in one order."""
    settings = {key: each for key, each in converter.get_config().items() if key not in _NAMES}
    return f"{type(converter).__name__} {json.dumps(settings, sort_keys=True)}"
