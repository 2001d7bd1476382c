"""An encoder without TensorFlow that takes its time, and leaves word of where it ran."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from streetineq_assets.codes.encoders.encoder import Encoder
from streetineq_assets.codes.extraction import Pace
from streetineq_assets.definitions import find_study
from streetineq_assets.devices import Device
from streetineq_assets.resources import GpuResource
from streetineq_tests.codes.fakes import fake_encoder

SEEN = "seen.jsonl"  # a line for each batch, in the study
SLOW = "slow"  # a file of the study: seconds that a batch takes
NOTED = ("STREETINEQ_DATA", "STREETINEQ_EXECUTOR", "OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES")
N_BATCHES = {"alpha/000": 7, "alpha/001": 5}  # one for each location


class QuickDevice(GpuResource):
    """A device without TensorFlow."""

    @contextmanager
    def lease(self, context: Any, *, most_gpus: int | None = None) -> Iterator[Device]:
        yield Device(kind="cpu")


def noting_encoder(*_: Any, **__: Any) -> Encoder:
    study = find_study()
    slow = study / SLOW
    seconds = float(slow.read_text()) if slow.is_file() else 0.0
    encoder = fake_encoder(batch_size=4, seconds=seconds)

    def encode(pixels: Any) -> Any:
        with (study / SEEN).open("a", encoding="utf-8") as file:
            file.write(json.dumps({name: os.environ.get(name) for name in NOTED}) + "\n")
        return encoder.encode(pixels)

    return Encoder(encode, encoder.batch_size, encoder.identity, encoder.values)


def small_parts(**options: Any) -> Pace:
    """Two locations are a finished part, which a later attempt need not encode again."""
    return Pace(part_rows=2, **options)
