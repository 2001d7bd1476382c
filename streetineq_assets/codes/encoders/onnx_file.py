"""A network in an ONNX file, run by ONNX Runtime, with its preprocessing in study.toml.

Pictures are scaled and cropped by Pillow, on whole grey levels, as torchvision's `Resize` and
`CenterCrop` do it and Hugging Face's processors after them.
"""

import os
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from streetineq_assets.codes.encoders.encoder import Encode, Network, Preprocessing
from streetineq_assets.codes.encoders.weights import checked_file
from streetineq_assets.codes.preprocess import Decoded
from streetineq_assets.encoder_settings import InputImage, OnnxEncoder
from streetineq_assets.errors import SourceError, StudyError

if TYPE_CHECKING:
    import onnx
    import onnxruntime

_WHERE_FROM = "put the ONNX file there, or correct encoder.weights in study.toml"
_AGAIN = "export it again"
_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16}
_CUDA, _CPU = "CUDAExecutionProvider", "CPUExecutionProvider"


class _Input(NamedTuple):
    """The one tensor that a network takes.

    Attributes:
        batch: images per call, None for any number.
        side: of an image, in pixels.
        channels_last: (n, side, side, 3), not (n, 3, side, side).
    """

    name: str
    dtype: Any
    batch: int | None
    side: int
    channels_last: bool


def build(settings: OnnxEncoder, root: Path, seed: int) -> Network:
    """The network that a study names.

    Args:
        root: the study's folder, to which the file's path is relative.
        seed: not used: the file has weights.

    Raises:
        SourceMissingError: there is no such file.
        SourceError: it is no ONNX file, another than study.toml states, has its weights elsewhere,
            takes something else than square pictures of one size, or its weights or codes are not
            numbers.
        StudyError: ONNX Runtime is not installed, there is no such output or pooling, or the crop
            is of another size than the input.
    """
    _require_packages()
    path = root / settings.weights
    sha256 = weights_input(settings, root, seed)
    data = path.read_bytes()
    name, n_parameters = _described(path, data)
    session = _session(path, data)
    given = _input(path, session)
    output = _output(settings, session)
    forward = partial(
        _encode, session=session, given=given, output=output, pooling=settings.pooling
    )
    return Network(
        forward=forward,
        input_shape=(given.side, given.side, 3),
        backbone=name,
        layer=f"{output}, {settings.pooling}" if settings.pooling else output,
        width=_width(path, forward, given.side),
        preprocessing=_preprocessing(settings.input, given.side),
        weights="file",
        weights_sha256=sha256,
        n_parameters=n_parameters,
    )


def weights_input(settings: OnnxEncoder, root: Path, seed: int) -> str:  # noqa: ARG001 - no random one
    """The file's sha256.

    Raises:
        SourceMissingError, SourceError: as `weights.checked_file`.
    """
    path = root / settings.weights
    return checked_file(path, settings.weights_sha256, remedy=_WHERE_FROM)


# -- the file ------------------------------------------------------------------------------------


def _require_packages() -> None:
    try:
        for name in ("onnx", "onnxruntime"):
            import_module(name)
    except ModuleNotFoundError as error:
        raise StudyError(
            'encoder.family is "onnx" in study.toml, which takes ONNX Runtime: run '
            "`uv sync --extra onnx`"
        ) from error


def _described(path: Path, data: bytes) -> tuple[str, int]:
    """The name of the network in a file, and how many weights it has."""
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load_model_from_string(data)
    except DecodeError as error:
        raise SourceError(f"{path} is no ONNX file, or was cut off: copy it again") from error
    if not model.graph.node:
        raise SourceError(f"{path} is no ONNX file, or holds no network: {_AGAIN}")
    return model.graph.name or "unnamed", _count(path, model)


def _count(path: Path, model: "onnx.ModelProto") -> int:
    """How many weights it has, each of which is a number."""
    from onnx import TensorProto, external_data_helper, numpy_helper

    floats = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE)
    n_weights = 0
    for tensor in model.graph.initializer:
        if external_data_helper.uses_external_data(tensor):
            raise SourceError(
                f"{path} has its weights in another file: save all in one, by `onnx.save` with "
                "`save_as_external_data=False`"
            )
        if tensor.data_type not in floats:
            continue
        values = numpy_helper.to_array(tensor)
        if np.isnan(values).any():  # an infinite one may be part of a mask
            raise SourceError(f"{path}: weights of {tensor.name} are not numbers: {_AGAIN}")
        n_weights += values.size
    return n_weights


def _session(path: Path, data: bytes) -> "onnxruntime.InferenceSession":
    """From the very bytes whose sha256 was taken."""
    import onnxruntime
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    options = onnxruntime.SessionOptions()
    options.use_deterministic_compute = True
    options.intra_op_num_threads = _threads()
    # Threads that wait for work would take the cores from those that decode pictures.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(data, options, providers=_providers())
    except (
        state.Fail,
        state.InvalidArgument,
        state.InvalidGraph,
        state.InvalidProtobuf,
        state.NotImplemented,
        state.RuntimeException,
    ) as error:
        message = str(error).strip().splitlines()[0]
        raise SourceError(f"ONNX Runtime cannot run {path} ({message}): {_AGAIN}") from error


def _threads() -> int:
    """As many as TensorFlow may use, which `devices` sets; 0 there means one for each core."""
    import tensorflow as tf

    return tf.config.threading.get_intra_op_parallelism_threads() or len(os.sched_getaffinity(0))


def _providers() -> list[Any]:
    """CUDA in float32 where a GPU is leased and the installed ONNX Runtime has it, else the CPU."""
    import onnxruntime
    import tensorflow as tf

    if tf.config.list_physical_devices("GPU") and _CUDA in onnxruntime.get_available_providers():
        return [(_CUDA, {"use_tf32": 0}), _CPU]
    return [_CPU]


def _input(path: Path, session: "onnxruntime.InferenceSession") -> _Input:
    inputs = session.get_inputs()
    if len(inputs) != 1:
        names = ", ".join(each.name for each in inputs)
        raise SourceError(
            f"{path} takes {len(inputs)} inputs ({names}), expected one, of images: export the "
            "encoder of images alone"
        )
    name, kind, shape = inputs[0].name, inputs[0].type, inputs[0].shape
    channels_last = len(shape) == 4 and shape[3] == 3
    sides = (shape[1:3] if channels_last else shape[2:4]) if len(shape) == 4 else []
    if not sides or 3 not in (shape[1], shape[3]) or kind not in _TYPES:
        raise SourceError(
            f"{path}: its input {name} is {kind} of shape {shape}, expected floating-point images "
            f"(n, 3, height, width) or (n, height, width, 3): {_AGAIN}"
        )
    if not isinstance(sides[0], int) or sides[0] != sides[1]:
        raise SourceError(
            f"{path}: its input {name} takes images of {sides[0]} x {sides[1]} pixels, expected "
            "one fixed size with equal sides: export it with a fixed height and width"
        )
    batch = shape[0] if isinstance(shape[0], int) else None
    return _Input(name, _TYPES[kind], batch, sides[0], channels_last)


def _output(settings: OnnxEncoder, session: "onnxruntime.InferenceSession") -> str:
    names = [each.name for each in session.get_outputs()]
    stated = f"is {settings.output!r}" if settings.output else "is not stated"
    fitting = [name for name in names if settings.output in (None, name)]
    if len(fitting) == 1:
        return fitting[0]
    raise StudyError(
        f"encoder.output {stated}, the outputs of {settings.weights} are {', '.join(names)}: "
        "name one of them"
    )


# -- the forward pass ----------------------------------------------------------------------------


def _encode(
    images: np.ndarray,
    *,
    session: "onnxruntime.InferenceSession",
    given: _Input,
    output: str,
    pooling: str | None,
) -> np.ndarray:
    """float32 (n, side, side, 3) to (n, width), in batches as the network takes them."""
    size = given.batch or len(images)
    tensor = images if given.channels_last else images.transpose(0, 3, 1, 2)
    missing = np.zeros((-len(images) % size, *tensor.shape[1:]), tensor.dtype)
    whole = np.ascontiguousarray(np.concatenate([tensor, missing]), dtype=given.dtype)
    found = [
        np.asarray(session.run([output], {given.name: whole[start : start + size]})[0])
        for start in range(0, len(whole), size)
    ]
    values = np.concatenate(found)[: len(images)].astype(np.float32)
    return _pooled(values, output, pooling, channels_last=given.channels_last)


def _pooled(
    values: np.ndarray, output: str, pooling: str | None, *, channels_last: bool
) -> np.ndarray:
    """One vector for each image: of (n, width), (n, tokens, width), or of positions in two axes."""
    if values.ndim == 2 and pooling is None:
        return values
    if values.ndim == 3 and pooling == "cls":
        return values[:, 0]
    if values.ndim == 3 and pooling == "mean":
        return values.mean(axis=1)
    if values.ndim == 4 and pooling == "mean":
        return values.mean(axis=(1, 2) if channels_last else (2, 3))
    fitting = {2: "no pooling", 3: '"cls" or "mean"', 4: '"mean"'}.get(values.ndim)
    expected = f"expected {fitting}" if fitting else "name another output"
    raise StudyError(
        f"encoder.pooling is {pooling or 'not stated'}, the output {output} has the shape "
        f"{list(values.shape[1:])} for an image: {expected}"
    )


def _width(path: Path, forward: Encode, side: int) -> int:
    """Numbers in a code, by that of one picture of noise."""
    noise = np.random.default_rng(0).standard_normal((1, side, side, 3), dtype=np.float32)
    codes = forward(noise)
    if codes.shape[0] != 1 or not np.isfinite(codes).all():
        raise SourceError(
            f"{path} gives no code of finite numbers for a picture of noise: {_AGAIN}"
        )
    return int(codes.shape[1])


# -- its input -----------------------------------------------------------------------------------


def _preprocessing(settings: InputImage, side: int) -> Preprocessing:
    takes = f"the network takes pictures of {side} pixels"
    if settings.crop_px not in (None, side):
        raise StudyError(
            f"encoder.input.crop_px is {settings.crop_px}, {takes}: delete it, or name another file"
        )
    resize_px = settings.resize_px or side
    if resize_px < side:
        raise StudyError(f"encoder.input.resize_px is {resize_px}, {takes}: it must not be less")
    parts = {"crop": f"short side {resize_px} px, middle {side} px", "stretch": f"all to {side} px"}
    name = (
        f"Pillow {settings.interpolation}, {parts[settings.fit]}, {settings.channels} times "
        f"{settings.scale!r} minus {list(settings.mean)} by {list(settings.sd)}"
    )
    return Preprocessing(name, prepare=_prepare(settings, resize_px, side))


def _prepare(settings: InputImage, resize_px: int, side: int) -> Callable[[Decoded], np.ndarray]:
    from PIL import Image

    resample = Image.Resampling[settings.interpolation.upper()]
    scale = np.float32(settings.scale)
    mean, sd = np.array([settings.mean, settings.sd], dtype=np.float32)

    def prepare(decoded: Decoded) -> np.ndarray:
        size = (side, side) if settings.fit == "stretch" else _scaled(decoded.rgb.size, resize_px)
        left, top = (round((each - side) / 2) for each in size)
        scaled = decoded.rgb.resize(size, resample)
        pixels = np.asarray(scaled.crop((left, top, left + side, top + side)))
        ordered = pixels if settings.channels == "rgb" else pixels[..., ::-1]
        return (ordered.astype(np.float32) * scale - mean) / sd

    return prepare


def _scaled(size: tuple[int, int], short_px: int) -> tuple[int, int]:
    """Width and height after scaling; as torchvision's, the long side loses its part of a pixel."""
    width, height = (short_px * each // min(size) for each in size)
    return width, height
