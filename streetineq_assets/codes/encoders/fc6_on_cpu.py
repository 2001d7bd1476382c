"""VGG16's fc6 on a CPU: by Winograd's algorithm where Numba can be used, else by TensorFlow.

Codes of the two differ by about 3e-6 of the largest, as those of one on two kinds of processor do,
so this is no part of the encoder's identity.
"""

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from streetineq_assets.codes.encoders.encoder import Encode
from streetineq_assets.findings import Scalar

if TYPE_CHECKING:
    import keras

_MOST_THREADS = 32  # each has an image of a batch of 32, and memory of its own


def compile_fc6(
    model: "keras.Model", *, batch_size: int, parts: int = 1
) -> tuple[Encode | None, dict[str, Scalar]]:
    """The forward pass of `vgg16.build_encoder`'s model, apart from TensorFlow.

    Args:
        batch_size: images per call at most.
        parts: devices over which batches are spread.

    Returns:
        Function of float32 (n, 224, 224, 3) to float32 (n, 4096), None where TensorFlow is to do
        it; and for the UI which `arithmetic` it is, with the reason in `why_direct`, and in
        `why_compiled` where that takes some seconds of each process.
    """
    why = "batches are spread over several devices" if parts > 1 else _why_direct()
    if why:
        return None, {"arithmetic": "direct", "why_direct": why}
    from streetineq_assets.codes.encoders import winograd, winograd_kernels

    def weights(name: str) -> tuple[np.ndarray, np.ndarray]:
        kernel, bias = model.get_layer(name).get_weights()
        return kernel, bias

    encode = winograd.WinogradVgg16(weights, batch_size=batch_size, threads=count_threads())
    values: dict[str, Scalar] = {"arithmetic": winograd.ARITHMETIC}
    if why := _why_compiled(winograd_kernels):
        values["why_compiled"] = why
    return encode, values


def count_threads() -> int:
    """Threads that encode: as many as TensorFlow is told to use, else one for each usable core."""
    import tensorflow as tf

    told = tf.config.threading.get_intra_op_parallelism_threads()
    told = told or int(os.environ.get("TF_NUM_INTRAOP_THREADS") or 0)
    return min(told or _usable_cores(), _MOST_THREADS)


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _why_direct() -> str | None:
    """Why Winograd's algorithm cannot be used, in a sentence, or None."""
    try:
        import streetineq_assets.codes.encoders.winograd_kernels  # noqa: F401
    except (ImportError, OSError) as error:  # absent, not made for this NumPy, a library missing
        return f"Numba cannot be used, so that encoding takes about twice as long: {error}"
    return None


def _why_compiled(kernels: Any) -> str | None:
    """Why each process compiles anew, in a sentence, or None where it does not."""
    if kernels.convolve.stats.cache_path:
        return None
    return (
        "Numba has no cache that it can use, so that each process compiles for some seconds: "
        "set NUMBA_CACHE_DIR to a folder that can be written, or empty the one that is set"
    )
