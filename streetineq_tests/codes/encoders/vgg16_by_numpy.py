"""VGG16 by its definition, in NumPy: nine matrix products a layer, in the arrays' own precision."""

import numpy as np


def convolve(image, kernel, bias):
    """3 x 3 with zeros around, by nine matrix products; then ReLU."""
    height, width = image.shape[:2]
    padded = np.pad(image, ((1, 1), (1, 1), (0, 0)))
    total = np.tile(bias.astype(image.dtype), (height * width, 1))
    for row in range(3):
        for column in range(3):
            shifted = padded[row : row + height, column : column + width]
            total += shifted.reshape(height * width, -1) @ kernel[row, column].astype(image.dtype)
    return np.maximum(total, 0).reshape(height, width, -1)


def pool(image):
    height, width, channels = image.shape
    return image.reshape(height // 2, 2, width // 2, 2, channels).max(axis=(1, 3))


def fc6_by_numpy(image, weights):
    """Code of an image; `weights` are kernel and bias by layer name."""
    x = image
    for block, convolutions in enumerate([2, 2, 3, 3, 3], start=1):
        for number in range(1, convolutions + 1):
            x = convolve(x, *weights[f"block{block}_conv{number}"])
        x = pool(x)
    kernel, bias = weights["fc1"]
    return x.reshape(-1) @ kernel.astype(x.dtype) + bias  # height, width, channels, as in Keras
