"""Weights and images to try the fast path on, and a process of its own to try it in.

Usage: `python -m streetineq_tests.codes.encoders.winograd_weights THREADS FILE`: the codes of some
images under thin weights, to a file.
"""

import sys

import numpy as np

from streetineq_assets.codes.encoders.vgg16 import weight_shapes
from streetineq_assets.codes.preprocess import CHANNEL_MEANS


def heavy_tailed(shapes, seed=0):
    """Kernels of Student's t with correlated taps, biases, outputs of a trained network's size."""
    weights = {}
    for number, (name, (shape, (width,))) in enumerate(shapes.items()):
        generator = np.random.default_rng([seed, number])
        kernel = generator.standard_t(4, shape).astype(np.float32)
        if len(shape) == 4:
            common = generator.standard_t(4, (1, 1, *shape[2:])).astype(np.float32)
            kernel = 0.8 * kernel + 0.6 * common
            kernel -= 0.3 * kernel.mean(axis=(0, 1, 2), keepdims=True)
        scale = np.sqrt((1 if len(shape) == 4 else 0.15) / np.prod(shape[:-1]))
        bias = generator.normal(0, 0.3, width).astype(np.float32)
        weights[name] = (kernel * np.float32(scale), bias)
    return weights


def thin_shapes(channels=64, width=256):
    """VGG16 with one number of channels throughout: all of its layers, a hundredth of the work."""
    shapes = dict.fromkeys(list(weight_shapes())[:-1], ((3, 3, channels, channels), (channels,)))
    shapes["block1_conv1"] = ((3, 3, 3, channels), (channels,))
    return shapes | {"fc1": ((7 * 7 * channels, width), (width,))}


def some_images(count, seed=0):
    """Structure at several scales, blue, green and red less their means, float32."""
    generator = np.random.default_rng(seed)
    images = np.full((count, 224, 224, 3), 118, np.float32)
    for cells, strength in ((7, 80), (28, 40), (112, 20), (224, 10)):
        coarse = generator.uniform(-strength, strength, (count, cells, cells, 3))
        fine = coarse.astype(np.float32).repeat(224 // cells, 1).repeat(224 // cells, 2)
        images += fine
    return np.round(images.clip(0, 255)) - np.asarray(CHANNEL_MEANS, np.float32)


if __name__ == "__main__":
    from streetineq_assets.codes.encoders.winograd import WinogradVgg16

    weights = heavy_tailed(thin_shapes())
    encode = WinogradVgg16(weights.__getitem__, batch_size=8, threads=int(sys.argv[1]))
    np.save(sys.argv[2], encode(some_images(6)))
