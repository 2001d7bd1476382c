"""One fold's training: its epochs, selection on whole areas, and resuming after a crash.

A fold's network sees its training rows only. Features are standardised by the training rows, and
the best epoch is chosen on validation areas cut from the training areas; where these are too few to
choose by, the last epoch is kept. Test rows are read once, after the last epoch, to be scored.
State is saved at ends of epochs, so a killed run resumes there, to the same weights bit for bit on
one machine's CPU.
"""

import functools
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from streetineq_assets.errors import TrainingError
from streetineq_assets.models.batches import (
    FEWEST_ROWS,
    class_weights,
    epoch_batches,
    epochs_to_train,
    mean_and_sd,
    steps_per_epoch,
)
from streetineq_assets.models.checkpoints import Checkpoints, FoldState, Log
from streetineq_assets.models.dataset import Examples
from streetineq_assets.models.folds import FoldTable, Split, left_out_note
from streetineq_assets.models.network import set_standardisation
from streetineq_assets.models.trainer import Trainer
from streetineq_assets.profiles import Profile

_REPORT_EVERY_S = 10.0
# A fold trains on (k - 1) / k of the areas: more folds leave each of them more. Where whole squares
# are held out, one large square may be a fold, and the margin around it half of the city.
_LARGER_K = "set a larger k under [folds]"
_MORE_ROWS = {
    "spatial_block": "set a smaller block_km or buffer_km under [folds]",
    "holdout": "raise the first two of holdout_shares under [folds]",
    "district": "name more authorities of the city, or raise k under [folds]",
    "city": "name another city",
}


@dataclass
class FoldTraining:
    """One fold's training, from where its checkpoint stands to its end."""

    trainer: Trainer
    profile: Profile
    examples: Examples
    split: Split
    fold: int
    seed: int
    checkpoints: Checkpoints
    checkpoint_every_s: float
    progress: "Progress"
    logs: Path | None
    start: list[NDArray] | None = None

    def finish(self) -> FoldState:
        """Train to the last epoch or the end of patience, keep the best, score the test rows."""
        state = self.checkpoints.load(self.fold)
        if state and state.finished:
            self.progress.log(f"fold {self.fold} was finished before")
            return state
        state = self._begin(state)
        write = _tensorboard(self.logs, fresh=state.epoch == 0)
        saved_at = time.monotonic()
        held = self.examples.codes.hold(self._rows(self.split.validation))
        while state.epoch < self._epochs and not self._patience_ended(state):
            record = self._epoch(state, held)
            write(record)
            self.progress.report(record)
            if time.monotonic() - saved_at >= self.checkpoint_every_s:
                state.variables, state.optimizer = self.trainer.state()
                self.checkpoints.save(self.fold, state)
                saved_at = time.monotonic()
        return self._end(state)

    def _begin(self, state: FoldState | None) -> FoldState:
        self.trainer.reset(self.start, seed=self.seed + self.fold)
        if state:
            self.progress.log(f"fold {self.fold} resumes after epoch {state.epoch}")
            self.trainer.restore(state.variables, state.optimizer)
            return state
        if self.profile.standardise and self.start is None:
            mean, sd = mean_and_sd(self.examples.codes, self._rows(self.split.train))
            set_standardisation(self.trainer.network, mean, sd)
        return FoldState(best=self.trainer.network.get_weights())

    def _epoch(self, state: FoldState, held: NDArray | None) -> dict[str, float]:
        started, waited = time.perf_counter(), 0.0
        losses = []
        key = (self.seed, self.fold, state.epoch)
        self.trainer.seed_epoch(key)
        batches = epoch_batches(
            self.examples.codes,
            self._rows(self.split.train),
            *self._targets,
            profile=self.profile,
            key=key,
        )
        rate = self.profile.learning_rate
        asked = time.perf_counter()
        for step, batch in enumerate(batches):
            waited += time.perf_counter() - asked
            done = (state.epoch + min(step / self._steps, 1.0)) / self._epochs
            rate = learning_rate(self.profile, done)
            losses.append(self.trainer.train(batch, rate))
            asked = time.perf_counter()
        loss = float(np.mean([value.numpy() for value in losses]))
        state.epoch += 1
        if not np.isfinite(loss):
            raise TrainingError(self._diverged(state.epoch, rate))
        val_loss, val_mae = self._validate(held)
        record = {
            "epoch": state.epoch,
            "loss": loss,
            "val_loss": val_loss,
            "val_mae": val_mae,
            "learning_rate": rate,
            "seconds": time.perf_counter() - started,
            "wait_seconds": waited,
        }
        lowest = min((r["val_loss"] for r in state.history), default=np.inf)
        if not self._validation_chooses:
            state.best_epoch = state.epoch
        elif val_loss < lowest:
            state.best, state.best_epoch = self.trainer.network.get_weights(), state.epoch
        state.history.append(record)
        return record

    @functools.cached_property
    def _targets(self) -> tuple[NDArray, NDArray]:
        classes = self.examples.classes[self.split.train]
        return classes, class_weights(classes)

    @functools.cached_property
    def _steps(self) -> int:
        n_rows = int(self.split.train.sum())
        return steps_per_epoch(self.examples.codes, n_rows, self.profile)

    @functools.cached_property
    def _epochs(self) -> int:
        return epochs_of_fold(self.examples, self.split, self.profile)

    @functools.cached_property
    def _validation_chooses(self) -> bool:
        """Whether there are enough validation areas to tell a better epoch from a lucky one."""
        n_areas = self.examples.rows["area"][self.split.validation].nunique()
        return n_areas >= self.profile.fewest_validation_areas

    def _validate(self, held: NDArray | None) -> tuple[float, float]:
        """Mean loss and mean absolute error in deciles over validation rows and outcomes."""
        rows = self._rows(self.split.validation)
        _, log_p = self.trainer.score(self.examples.codes, rows, held)
        classes = self.examples.classes[self.split.validation]
        labelled = classes >= 0
        known = np.maximum(classes, 0)[..., None].astype(np.int64)
        likelihood = np.take_along_axis(log_p, known, axis=-1)[..., 0]
        errors = np.abs(log_p.argmax(axis=-1) - classes)
        return float(-likelihood[labelled].mean()), float(errors[labelled].mean())

    def _patience_ended(self, state: FoldState) -> bool:
        patience = self.profile.patience
        return 0 < patience <= state.epoch - state.best_epoch

    def _end(self, state: FoldState) -> FoldState:
        if self._validation_chooses:
            self.trainer.network.set_weights(state.best)
        else:
            state.best = self.trainer.network.get_weights()
        rows = self._rows(self.split.test)
        scores, log_p = self.trainer.score(self.examples.codes, rows)
        bad = ~np.isfinite(scores).all(axis=1)
        if bad.any():
            location = self.examples.codes.reader.location_ids[rows[bad][0]]
            raise TrainingError(
                f"fold {self.fold}: location {location} has no finite score, though its codes are "
                f"finite: the network has grown too large. {self._smaller_rate}"
            )
        finished = FoldState(
            epoch=state.epoch,
            best=state.best,
            best_epoch=state.best_epoch,
            history=state.history,
            finished=True,
            test_rows=rows,
            test_scores=scores,
            test_log_probabilities=log_p,
        )
        self.checkpoints.save(self.fold, finished)
        return finished

    def _rows(self, mask: NDArray[np.bool_]) -> NDArray[np.int64]:
        return self.examples.rows["row"].to_numpy(np.int64)[mask]

    def _diverged(self, epoch: int, rate: float) -> str:
        return (
            f"fold {self.fold}: the loss is no longer finite in epoch {epoch} at a learning rate "
            f"of {rate:g}; finished folds are kept. {self._smaller_rate}"
        )

    @property
    def _smaller_rate(self) -> str:
        """What to do against divergence; a tuning's rate is a share of the source's."""
        name, table = "learning_rate", "training.overrides"
        if self.start is not None:
            name, table = "learning_rate_share", "transfer"
        return f"Set a smaller {name} under [{table}] in study.toml"


def epochs_of_fold(examples: Examples, split: Split, profile: Profile) -> int:
    """How many epochs a fold is trained, unless patience ends it."""
    n_areas = examples.rows["area"][split.train].nunique()
    return epochs_to_train(examples.codes, int(split.train.sum()), n_areas, profile)


def learning_rate(profile: Profile, done: float) -> float:
    """The schedule: constant, or half a cosine from the profile's rate to 0.

    Args:
        done: share of all epochs, 0 to 1.
    """
    if profile.schedule == "constant":
        return profile.learning_rate
    return float(profile.learning_rate * 0.5 * (1 + np.cos(np.pi * done)))


class Progress:
    """Says how far a training is, at most every ten seconds."""

    def __init__(self, log: Log, fold: int, folds_left: int, epochs: int) -> None:
        self.log = log
        self._fold, self._folds_left, self._epochs = fold, folds_left, epochs
        self._last = time.monotonic()

    def report(self, record: Mapping[str, float]) -> None:
        """One line with losses and the time left if no fold stops early."""
        if time.monotonic() - self._last < _REPORT_EVERY_S:
            return
        self._last = time.monotonic()
        epochs_left = self._folds_left * self._epochs - record["epoch"]
        self.log(
            f"fold {self._fold}, epoch {record['epoch']:.0f} of at most {self._epochs}: loss "
            f"{record['loss']:.3f}, validation {record['val_loss']:.3f} "
            f"(MAE {record['val_mae']:.2f}); "
            f"at most {epochs_left * record['seconds'] / 60:.1f} minutes left"
        )


def folds_with_rows(
    folds: Sequence[int], table: FoldTable, rows: pd.DataFrame, log: Log
) -> tuple[int, ...]:
    """Those of the folds that test at least one row; the others are logged.

    Args:
        rows: `location_id, area` of the locations that have codes and a label.

    Raises:
        TrainingError: no fold tests any.
    """
    tested = set(table.fold_of(rows))
    there = tuple(fold for fold in folds if fold in tested)
    if not there:
        raise TrainingError(
            "no fold tests a location that has codes and a label: add images of the areas that "
            "are tested, as `area_folds` lists them"
        )
    note = left_out_note(set(folds) - set(there))
    if note:
        log(note)
    return there


def require_rows(split: Split, fold: int, profile: Profile, scheme: str) -> None:
    """Raise TrainingError when a fold has too few rows to train, validate or test."""
    fewest = profile.batch_size if profile.balance == "one_per_class" else FEWEST_ROWS
    train, validation = int(split.train.sum()), int(split.validation.sum())
    if train < fewest or not validation:
        raise TrainingError(
            f"fold {fold} has {train} locations to train on and {validation} to validate on; at "
            f"least {fewest} and 1 are needed: add images, or {_MORE_ROWS.get(scheme, _LARGER_K)} "
            "in study.toml"
        )


def _tensorboard(folder: Path | None, *, fresh: bool) -> Callable[[Mapping[str, float]], None]:
    """A function that appends an epoch's record to TensorBoard's event files."""
    if folder is None:
        return lambda _: None
    import tensorflow as tf

    if fresh:
        shutil.rmtree(folder, ignore_errors=True)
    writer = tf.summary.create_file_writer(str(folder))
    # `tf.summary.scalar` would need the tensorboard package, which only reading needs.
    kind = tf.compat.v1.SummaryMetadata(
        plugin_data=tf.compat.v1.SummaryMetadata.PluginData(plugin_name="scalars")
    )

    def write(record: Mapping[str, float]) -> None:
        with writer.as_default(step=int(record["epoch"])):
            for name, value in record.items():
                if name != "epoch":
                    tf.summary.write(name, tf.constant(value, tf.float32), metadata=kind)
        writer.flush()

    return write
