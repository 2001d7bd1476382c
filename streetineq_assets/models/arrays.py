"""Arrays that TensorFlow uses where they lie, instead of a copy."""

import math
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

_ALIGNMENT = 64  # bytes, what TensorFlow's kernels ask of a tensor


def aligned_empty(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray:
    """As `numpy.empty`, at an address that TensorFlow's kernels take."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    memory = np.empty(size + _ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % _ALIGNMENT
    return memory[start : start + size].view(dtype).reshape(shape)


def take_rows(features: NDArray, rows: NDArray[np.integer]) -> NDArray:
    """`features[rows]` as an aligned array."""
    taken = aligned_empty((len(rows), *features.shape[1:]), features.dtype)
    return features.take(rows, axis=0, out=taken, mode="clip")  # other modes buffer `out`


def as_tensor(array: NDArray) -> Any:
    """A tensor on the CPU, of the array's own memory where it is aligned, else of a copy.

    The array must not be written to while the tensor is used.
    """
    import tensorflow as tf

    if array.size and array.flags.c_contiguous and array.ctypes.data % _ALIGNMENT == 0:
        return tf.experimental.dlpack.from_dlpack(array.__dlpack__())
    return tf.convert_to_tensor(array)
