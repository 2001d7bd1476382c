"""Dropout whose random numbers are drawn outside the compiled step.

XLA on a CPU makes random numbers again wherever they are used, in the matrix products too, which
takes ten times as long as the step. Numbers that come in with the batch are only read.
"""

import contextlib
import math
from collections.abc import Generator, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

_LEVELS = 2**16
_PER_WORD = 4


class DrawnDropout(keras.layers.Dropout):
    """A dropout layer that takes the numbers that `given` lends it; rates resolve to 1 / 65,536."""

    numbers: Any = None

    def call(self, inputs: Any, training: bool = False) -> Any:
        """What is kept is scaled by 1 / (1 - rate), so that the expectation stays."""
        if not training:
            return inputs
        kept = ops.cast(self.numbers, "int32") >= round(self.rate * _LEVELS)
        return ops.where(kept, inputs / (1 - self.rate), ops.zeros_like(inputs))


@contextlib.contextmanager
def given(layers: Sequence[DrawnDropout], numbers: Sequence[Any]) -> Generator[None]:
    """The layers drop by these numbers for the duration of the block; see `draw`."""
    for layer, drawn in zip(layers, numbers, strict=True):
        layer.numbers = drawn
    try:
        yield
    finally:
        for layer in layers:
            layer.numbers = None


def draw(bits: np.random.BitGenerator, shapes: Sequence[tuple[int, ...]]) -> list[NDArray]:
    """Uniform uint16 numbers of these shapes; four of them are one word of the generator."""
    drawn = []
    for shape in shapes:
        n = math.prod(shape)
        words = np.asarray(bits.random_raw(-(-n // _PER_WORD)))
        drawn.append(words.view(np.uint16)[:n].reshape(shape))
    return drawn
