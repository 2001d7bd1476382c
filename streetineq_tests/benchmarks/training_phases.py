"""Where the time of a training step goes, phase by phase, for `bench_training`.

A step is compiled as one, so its phases are measured by compiling less of it; the phases that a
part contains are taken off it. Processor time of all threads stands beside time by the clock: other
work on the machine disturbs it less, and a phase that runs in one thread shows by it.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streetineq_assets.devices import Device
from streetineq_assets.models.checkpoints import Checkpoints, FoldState
from streetineq_assets.models.dataset import Codes
from streetineq_assets.profiles import Profile

_ROUNDS = 9
_SIZE = 2048
_VALIDATION_PER_TRAINING_ROW = 0.1 / 0.9


class Seconds(NamedTuple):
    """By the clock, and of the processor in all threads."""

    clock: float
    processor: float

    def less(self, *others: "Seconds") -> "Seconds":
        return Seconds(*(a - sum(b) for a, *b in zip(self, *others, strict=True)))

    def times(self, factor: float) -> "Seconds":
        return Seconds(self.clock * factor, self.processor * factor)


def phases(codes: Codes, on_disk: Codes, profile: Profile, flop: float) -> list[str]:
    """A table in lines: milliseconds of each phase for one batch, and their share of the limit.

    Args:
        codes, on_disk: the same, in memory and not.
        flop: of a batch's matrix products, which at full speed take the limit.
    """
    seconds = _measured(_parts(codes, on_disk, profile))
    heading = f"phase, for a batch of {profile.batch_size}"
    lines = [f"{heading:<52}{'ms':>9}{'CPU ms':>9}{'of limit':>10}"]
    limit = seconds["product"].times(flop / (2 * _SIZE**3))
    for what, took in {"its products at the limit": limit, **_by_phase(seconds)}.items():
        share = took.processor / limit.processor
        lines.append(
            f"{what:<52}{1e3 * took.clock:>9.1f}{1e3 * took.processor:>9.1f}{share:>10.0%}"
        )
    return lines


def _by_phase(of: dict[str, Seconds]) -> dict[str, Seconds]:
    validation = of["score"].times(_VALIDATION_PER_TRAINING_ROW)
    return {
        "gathering rows (ahead, in a thread)": of["gather"],
        "  reading them from disk as well (in a thread)": of["read"],
        "drawing what dropout drops": of["draw"],
        "handing tensors over": of["hand over"],
        "launch of a step": of["launch"],
        "conversion from float16": of["convert"].less(of["launch"]),
        "standardising, within the conversion": of["standardise"].less(of["convert"]),
        "products and the rest, forward and backward": of["gradients"].less(of["standardise"]),
        "optimiser": of["optimiser"].less(of["launch"]),
        "the whole step, compiled as one": of["step"],
        "validation, its part": validation,
        "a checkpoint, every 15 s": of["checkpoint"],
    }


def _parts(codes: Codes, on_disk: Codes, profile: Profile) -> dict[str, Callable[[], Any]]:
    import tensorflow as tf

    from streetineq_assets.models import dropout
    from streetineq_assets.models.arrays import as_tensor
    from streetineq_assets.models.batches import Batch
    from streetineq_assets.models.trainer import Trainer

    trainer = Trainer(profile, codes.shape, 1, Device(kind="cpu"))
    rng, size = np.random.default_rng(0), profile.batch_size
    rows = np.sort(rng.permutation(codes.reader.n_rows)[:size])
    features = codes.take(rows)
    classes = rng.integers(0, 10, (size, 1), np.int32)
    batch = Batch(features, classes, np.ones((size, 1), np.float32))
    near = np.flatnonzero(np.arange(size * 4 // 3 + 1) % 4 < 3)[:size]  # as dense as training rows
    room = np.empty_like(features)
    shapes = [(size, *layer.output.shape[1:]) for layer in trainer._dropouts]
    given = trainer._tensors(batch, 1e-3)
    inputs, labels, weights, rate, numbers = given
    (halves,) = inputs
    standardiser = trainer.network.get_layer("standardise")

    def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
        return tf.function(function, jit_compile=True, autograph=False)

    launch = compiled(lambda *tensors: tensors[3] + 1)
    convert = compiled(lambda x: tf.cast(x, tf.float32))
    standardise = compiled(lambda x: standardiser(tf.cast(x, tf.float32)))
    gradients = compiled(trainer._gradients)
    optimiser = compiled(trainer._apply)
    _, found = gradients(inputs, labels, weights, numbers)
    square = tf.random.normal((_SIZE, _SIZE))
    return {
        "product": lambda: tf.matmul(square, square).numpy(),
        "read": lambda: on_disk.reader.read(near, room),
        "gather": lambda: codes.take(rows),
        "draw": lambda: dropout.draw(trainer._bits, shapes),
        "hand over": lambda: as_tensor(features),
        "launch": lambda: launch(*given).numpy(),
        "convert": lambda: convert(halves),
        "standardise": lambda: standardise(halves),
        "gradients": lambda: gradients(inputs, labels, weights, numbers),
        "optimiser": lambda: optimiser(found, rate),
        "step": lambda: trainer.train(batch, 1e-3).numpy(),
        "score": lambda: trainer.score(codes, rows, features),
        "checkpoint": lambda: _checkpoint(trainer.state()),
    }


def _checkpoint(state: tuple[list[NDArray], list[NDArray]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        network, optimizer = state
        checkpoints = Checkpoints(Path(folder), {}, lambda _: None)
        checkpoints.save(0, FoldState(variables=network, optimizer=optimizer, best=network))


def _measured(parts: dict[str, Callable[[], Any]]) -> dict[str, Seconds]:
    """Medians over interleaved rounds."""
    taken: dict[str, list[Seconds]] = {name: [] for name in parts}
    for _ in range(_ROUNDS + 1):  # the first compiles
        for name, run in parts.items():
            clock, processor = time.perf_counter(), time.process_time()
            run()
            taken[name].append(
                Seconds(time.perf_counter() - clock, time.process_time() - processor)
            )
    return {
        name: Seconds(*(median(column) for column in zip(*found[1:], strict=True)))
        for name, found in taken.items()
    }
