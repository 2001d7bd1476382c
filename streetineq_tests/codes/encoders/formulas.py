"""Scaling of pictures in a few lines of NumPy, as the libraries define it: an oracle for theirs."""

import numpy as np


def resample(pixels: np.ndarray, height: int, width: int, *, kernel: str, antialias: bool):
    """(h, w, 3) to (height, width, 3) in float64: a weighted mean over rows, then over columns."""
    rows = _weights(pixels.shape[0], height, kernel, antialias)
    columns = _weights(pixels.shape[1], width, kernel, antialias)
    return np.einsum("yh,hwc,xw->yxc", rows, pixels.astype(np.float64), columns)


def whole_levels(values: np.ndarray) -> np.ndarray:
    """Whole grey levels in 0..255."""
    return np.round(values).clip(0, 255)


def _weights(size: int, new_size: int, kernel: str, antialias: bool) -> np.ndarray:
    """(new_size, size): how much of each old pixel is in each new one.

    A new pixel's centre lies at (i + 1/2) size / new_size. With antialiasing the kernel is as much
    wider as pixels become fewer. Beyond an edge there is nothing with it, the edge's pixel without.
    """
    ratio = size / new_size
    stretch = max(ratio, 1.0) if antialias else 1.0
    centres = (np.arange(new_size) + 0.5) * ratio
    if antialias:
        distances = (np.arange(size)[None, :] + 0.5 - centres[:, None]) / stretch
        weights = _KERNELS[kernel](np.abs(distances))
        return weights / weights.sum(axis=1, keepdims=True)
    margin = 3
    distances = np.arange(-margin, size + margin)[None, :] + 0.5 - centres[:, None]
    beyond = _KERNELS[kernel](np.abs(distances))
    weights = beyond[:, margin:-margin].copy()
    weights[:, 0] += beyond[:, :margin].sum(axis=1)
    weights[:, -1] += beyond[:, -margin:].sum(axis=1)
    return weights


def _triangle(distance: np.ndarray) -> np.ndarray:
    return (1 - distance).clip(0)


def _cubic(distance: np.ndarray, a: float = -0.5) -> np.ndarray:
    """Keys 1981."""
    near = (a + 2) * distance**3 - (a + 3) * distance**2 + 1
    far = a * (distance**3 - 5 * distance**2 + 8 * distance - 4)
    return np.where(distance < 1, near, np.where(distance < 2, far, 0.0))


_KERNELS = {"bilinear": _triangle, "bicubic": _cubic}
