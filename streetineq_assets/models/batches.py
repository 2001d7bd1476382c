"""The batches of an epoch: class weights, and which rows are drawn in which order.

A city that fits the budget is read once, in sequence, and sampled in memory, for all folds and
outcomes. A larger one is read anew each epoch: the shards in an order by (seed, fold, epoch), cut
into windows of half the budget, so that one window is read while another is drawn from. Rows of a
shard are in random order already (`hdf5_shards`), so a window is a random sample of the city.

Orders of rows come from (seed, fold, epoch) alone; nothing has to be remembered to resume.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from streetineq_assets.codes.feature_statistics import RunningMoments
from streetineq_assets.errors import TrainingError
from streetineq_assets.labels.deciles import N_DECILES
from streetineq_assets.models.arrays import take_rows
from streetineq_assets.models.dataset import HELD_SHARE, READ_ROWS, Codes
from streetineq_assets.prefetch import prefetch
from streetineq_assets.profiles import Profile

FEWEST_ROWS = 8
_LAST_BATCH_STEP = 32


@dataclass(frozen=True)
class Batch:
    """Codes (b, V, width) in the file's dtype, classes (b, m) int32, weights (b, m) float32.

    `present` is (b, V), which views are there; None where views are never absent.
    """

    features: NDArray
    classes: NDArray[np.int32]
    weights: NDArray[np.float32]
    present: NDArray[np.bool_] | None = None


def mean_and_sd(
    codes: Codes, rows: NDArray[np.integer]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation of each feature over these rows' views; each (width,)."""
    moments, start = RunningMoments(codes.reader.width), 0
    for features in codes.chunks(rows, READ_ROWS // 2):
        present = codes.present(rows[start : start + len(features)])
        moments.add(features if present is None else features[present])
        start += len(features)
    return moments.mean, moments.sd


def class_weights(classes: NDArray[np.integer]) -> NDArray[np.float32]:
    """n / (10 n_c) for each row and outcome, 0 where there is no label.

    Args:
        classes: (n, m), 0..9, or -1 for no label. Counts are taken within each outcome.
    """
    weights = np.zeros(classes.shape, np.float32)
    for outcome in range(classes.shape[1]):
        column = classes[:, outcome]
        labelled = column >= 0
        counts = np.bincount(column[labelled], minlength=N_DECILES)
        share = labelled.sum() / (N_DECILES * np.maximum(counts, 1))
        weights[labelled, outcome] = share[column[labelled]]
    return weights


def epoch_batches(
    codes: Codes,
    rows: NDArray[np.integer],
    classes: NDArray[np.integer],
    weights: NDArray[np.float32],
    *,
    profile: Profile,
    key: tuple[int, int, int],
) -> Iterator[Batch]:
    """The batches of one epoch.

    Args:
        rows: (n,) training rows, ascending.
        classes, weights: (n, m), aligned with `rows`.
        key: (seed, fold, epoch), which decides every order.
    """
    rng = np.random.default_rng(key)
    for positions, window in _windows(codes, rows, rng):
        local = classes[positions]
        if profile.balance == "one_per_class":
            drawn = _one_per_class(local[:, 0], profile.batch_size, rng)
        else:
            drawn = _permuted(len(positions), profile.batch_size, rng)
        noise = _noise(profile.noise_sd, rng)
        targets = (local, weights[positions], codes.present(rows[positions]))
        assemble = partial(_assemble, window, noise, targets)
        yield from prefetch(assemble, drawn, workers=1, ahead=3)


def steps_per_epoch(codes: Codes, n_rows: int, profile: Profile) -> int:
    """About how many batches an epoch has, for the learning rate's schedule."""
    window = n_rows if codes.resident else max(1, min(n_rows, codes.window_rows))
    per_window = max(1, -(-window // profile.batch_size))
    return per_window * -(-n_rows // window)


def epochs_to_train(codes: Codes, n_rows: int, n_areas: int, profile: Profile) -> int:
    """The profile's epochs, or as many as make up its steps, in whole epochs.

    Areas have the labels, so their number and not that of locations sets how much can be learned
    before a network fits the training areas alone.
    """
    if not profile.steps_per_root_area:
        return profile.epochs
    steps = profile.steps_per_root_area * math.sqrt(n_areas)
    return min(profile.epochs, math.ceil(steps / steps_per_epoch(codes, n_rows, profile)))


def require_window(codes: Codes, profile: Profile) -> None:
    """Raise TrainingError when the budget cannot hold a few batches."""
    if codes.resident or codes.window_rows >= 4 * profile.batch_size:
        return
    needed = 8 * profile.batch_size * codes.row_bytes / (1 - HELD_SHARE) / 2**20
    raise TrainingError(
        f"memory_budget_mb under [training] holds {codes.window_rows} locations at a time, fewer "
        f"than four batches of {profile.batch_size}: set it to at least {needed:.0f}"
    )


def require_every_view(codes: Codes, profile: Profile) -> None:
    """Raise TrainingError where views are absent whose statistics are to be of each view alone."""
    if profile.batch_norm == "per_view" and codes.shape.masked:
        raise TrainingError(
            "some locations lack a view, and statistics of each view alone need them all: set "
            'batch_norm = "pooled" under [training.overrides] of the study that trains the '
            "networks, or leave these locations out"
        )


# -- windows and draws ---------------------------------------------------------------------------


def _windows(
    codes: Codes, rows: NDArray[np.integer], rng: np.random.Generator
) -> Iterator[tuple[NDArray[np.integer], Callable[[NDArray[np.integer]], NDArray]]]:
    """Positions among `rows` that are in memory together, and how to take some of them."""
    if codes.resident:
        yield np.arange(len(rows)), lambda chosen: codes.take(rows[chosen])
        return
    starts = np.array([start for start, _ in codes.reader.shard_bounds])
    shard = np.searchsorted(starts, rows, side="right") - 1
    rank = rng.permutation(len(starts))
    order = np.argsort(rank[shard], kind="stable")
    parts = np.array_split(order, -(-len(order) // codes.window_rows))

    def read(number: int) -> tuple[NDArray[np.integer], NDArray]:
        positions = np.sort(parts[number])
        # The window before the last one has been drawn from to its end when this one is read.
        room = codes.window_buffers[number % 2][: len(positions)]
        return positions, codes.take(rows[positions], room)

    for positions, features in prefetch(read, range(len(parts)), workers=1, ahead=2):
        yield positions, partial(take_rows, features)


def _assemble(
    window: Callable[[NDArray[np.integer]], NDArray],
    noise: Callable[[NDArray], NDArray],
    targets: tuple[NDArray[np.integer], NDArray[np.float32], NDArray[np.bool_] | None],
    chosen: NDArray[np.integer],
) -> Batch:
    classes, weights, present = targets
    return Batch(
        noise(window(chosen)),
        classes[chosen].astype(np.int32),
        weights[chosen],
        None if present is None else present[chosen],
    )


def _noise(sd: float, rng: np.random.Generator) -> Callable[[NDArray], NDArray]:
    """Adds N(0, sd^2) to a training batch; drawn where batches are made, off the device's time."""
    if not sd:
        return lambda features: features
    own = np.random.default_rng(rng.integers(2**63))
    return lambda features: (
        features + np.float32(sd) * own.standard_normal(features.shape, np.float32)
    )


def _permuted(n: int, size: int, rng: np.random.Generator) -> Iterator[NDArray[np.integer]]:
    """Every row once, but for a rest: batch shapes stay few, so that few are compiled.

    The last batch is cut to a multiple of a quarter of a batch, of 32 rows at least (of 32 or of 8,
    when there are fewer rows in all): a smaller rest, too small for batch normalisation, waits for
    the next epoch's order.
    """
    steps = (max(_LAST_BATCH_STEP, size // 4), _LAST_BATCH_STEP, FEWEST_ROWS)
    step = next((step for step in steps if step <= n), n)
    order = rng.permutation(n)
    for start in range(0, n, size):
        chosen = order[start : start + size]
        if len(chosen) < size:
            chosen = chosen[: len(chosen) // step * step]
        if len(chosen):
            yield np.sort(chosen)


def _one_per_class(
    classes: NDArray[np.integer], size: int, rng: np.random.Generator
) -> Iterator[NDArray[np.integer]]:
    """floor(n / size) batches, at least one, of size / 10 distinct rows of every class."""
    members = [np.flatnonzero(classes == c) for c in range(N_DECILES)]
    each = max(1, size // N_DECILES)
    for _ in range(max(1, len(classes) // size)):
        drawn = [rng.choice(m, min(each, len(m)), replace=False) for m in members]
        yield np.sort(np.concatenate(drawn))
