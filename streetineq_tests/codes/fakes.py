"""An encoder without TensorFlow, and a bucket to extract."""

import time
from pathlib import Path

import numpy as np
import pandas as pd

from streetineq_assets.codes.encoders import Encoder
from streetineq_assets.images.catalogue import list_images

WIDTH = 6
IDENTITY = {
    "backbone": "fake",
    "layer": "sums",
    "preprocessing": "antialias",
    "weights": "random",
    "weights_sha256": "0" * 64,
    "mixed_precision": False,
    "width": WIDTH,
}


def codes_of(pixels: np.ndarray) -> np.ndarray:
    """(n, 224, 224, 3) -> (n, 6): sums over parts of an image, of that image alone."""
    halves = pixels.reshape(len(pixels), 2, -1, 3).sum(axis=2, dtype=np.float64)
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
    encoder = Encoder(encode, batch_size, WIDTH, IDENTITY | identity, {})
    encoder.encode.calls = calls
    return encoder


def listing(root: Path, ids: list[str]) -> pd.DataFrame:
    """All locations in one bucket."""
    return list_images(root, ids, city="leeds", buckets=1).images
