"""An encoder without TensorFlow, a network of a few layers, and a bucket to extract."""

import time
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd

from streetineq_assets.codes.bucket_file import Bucket
from streetineq_assets.codes.encoders.encoder import Encoder, Preprocessing
from streetineq_assets.codes.identity import EncoderIdentity
from streetineq_assets.images.catalogue import list_images

WIDTH = 6
LOCATIONS = [f"L{number:02d}" for number in range(20)]
IDENTITY = EncoderIdentity(
    backbone="fake",
    layer="sums",
    preprocessing="antialias",
    weights="random",
    weights_sha256="0" * 64,
    width=WIDTH,
)


def codes_of(pixels: np.ndarray) -> np.ndarray:
    """(n, 224, 224, 3) -> (n, 6): sums over some pixels of an image, of that image alone."""
    halves = pixels.reshape(len(pixels), 2, -1, 3)[:, :, ::16].sum(axis=2, dtype=np.float64)
    return halves.reshape(len(pixels), WIDTH).astype(np.float32)


def fake_encoder(*, batch_size: int = 8, seconds: float = 0.0, **identity) -> Encoder:
    """Encodes by `codes_of`; `seconds` is how long a batch takes. It counts its batches."""

    def encode(pixels: np.ndarray) -> np.ndarray:
        assert pixels.shape == (batch_size, 224, 224, 3), "one shape for all batches"
        assert pixels.dtype == np.float32
        time.sleep(seconds)
        calls.append(len(pixels))
        return codes_of(pixels)

    calls: list[int] = []
    stated = IDENTITY.model_copy(update=identity)
    preprocessing = Preprocessing(stated.preprocessing, stated.preprocessing == "antialias")
    encoder = Encoder(encode, batch_size, stated, {}, preprocessing)
    encoder.encode.calls = calls
    return encoder


class TinyApplication:
    """A backbone that is built in milliseconds, in the place of a module of `keras.applications`.

    Its layers: `patches`, `depthwise`, and `pool`, which the codes of `SETTINGS` are taken from.
    """

    SETTINGS: ClassVar = {
        "backbone": "tiny",
        "layer": "pool",
        "weights": "random",
        "batch_size": 5,
    }

    @staticmethod
    def preprocess_input(rgb):
        return rgb / 127.5 - 1

    @staticmethod
    def network(weights=None, include_top=True, filters=6):
        import keras

        inputs = keras.Input((224, 224, 3))
        x = keras.layers.Conv2D(filters, 16, strides=16, activation="relu", name="patches")(inputs)
        x = keras.layers.DepthwiseConv2D(3, name="depthwise")(x)
        return keras.Model(inputs, keras.layers.GlobalAveragePooling2D(name="pool")(x), name="tiny")


def listing(root: Path, ids: list[str]) -> pd.DataFrame:
    """All locations in one bucket."""
    return list_images(root, ids, city="leeds", buckets=1).images


def contents(path):
    """What a bucket file holds beside its features, and the features."""
    with Bucket(path) as bucket:
        assert bucket.is_intact()
        return bucket.contents, bucket.read(slice(None))
