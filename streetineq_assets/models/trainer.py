"""One network with its compiled steps, reused over folds, draws and outcomes of a process.

Compiling a step costs seconds and a small fold trains in one, so the compiled steps outlive a fold:
only the values of their variables are replaced. Memory therefore does not grow from fold to fold.

A step runs on one device: the network has 2.3 million parameters, and several GPUs are kept busy by
as many runs, one for each city and outcome.
"""

import functools
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from streetineq_assets.devices import Device, arithmetic
from streetineq_assets.labels.deciles import N_DECILES
from streetineq_assets.models import dropout
from streetineq_assets.models.arrays import as_tensor
from streetineq_assets.models.batches import Batch, Codes
from streetineq_assets.models.heads import HEADS, log_likelihood
from streetineq_assets.models.network import build_network, draw_weights, freeze_blocks
from streetineq_assets.models.reader import CodeShape
from streetineq_assets.profiles import PROFILES, Profile

_SCORE_ROWS = 256
_SCORE_STEP = 32
_ANY = PROFILES["recommended"]
_NOT_COMPILED = (
    "noise_sd",
    "batch_size",
    "balance",
    "learning_rate",
    "schedule",
    "epochs",
    "steps_per_root_area",
    "patience",
    "validation_share",
    "fewest_validation_areas",
)


class Trainer:
    """The network of a profile on a device.

    Args:
        profile: layers, head, optimiser, noise.
        shape: of the codes that it takes.
        outcomes: heads on the one trunk.
        frozen_blocks: leading blocks of the trunk that stay as they are.
    """

    def __init__(
        self,
        profile: Profile,
        shape: CodeShape,
        outcomes: int,
        device: Device,
        frozen_blocks: int = 0,
    ) -> None:
        self.profile, self.shape, self.outcomes = profile, shape, outcomes
        self._head = HEADS[profile.head]
        with arithmetic(mixed=device.mixed_precision):
            self.network = build_network(
                profile, **shape._asdict(), outcomes=outcomes, dropout=dropout.DrawnDropout
            )
        freeze_blocks(self.network, frozen_blocks)
        self._fresh_weights = self.network.get_weights()
        self._dropouts = [x for x in self.network.layers if isinstance(x, dropout.DrawnDropout)]
        self._bits: np.random.BitGenerator = np.random.SFC64(0)
        self._optimizer = _optimizer(profile, device)
        self._optimizer.build(self.network.trainable_variables)
        self._fresh_optimizer = [v.numpy() for v in self._optimizer.variables]
        self._train = tf.function(self._train_step, jit_compile=device.jit_training)
        self._score = tf.function(self._score_step, jit_compile=device.jit_training)

    def reset(self, weights: list[NDArray] | None, seed: int) -> None:
        """Start from these weights, or from fresh ones by the seed, with a fresh optimiser."""
        if weights is None:
            self.network.set_weights(self._fresh_weights)
            draw_weights(self.network, seed)
        else:
            self.network.set_weights(weights)
        _assign(self._optimizer.variables, self._fresh_optimizer)

    def seed_epoch(self, key: tuple[int, int, int]) -> None:
        """Let dropout draw from the numbers of this key: (seed, fold, epoch).

        Each epoch then draws the same whatever was trained before it in this process, so a repeat
        and a training that resumes after a crash are exact, and no state has to be saved.
        """
        self._bits = np.random.SFC64(np.random.SeedSequence(key))

    def state(self) -> tuple[list[NDArray], list[NDArray]]:
        """All values that a training step changes: the network's and the optimiser's."""
        return (
            [v.numpy() for v in self.network.variables],
            [v.numpy() for v in self._optimizer.variables],
        )

    def restore(self, network: list[NDArray], optimizer: list[NDArray]) -> None:
        """Put back what `state` gave."""
        _assign(self.network.variables, network)
        _assign(self._optimizer.variables, optimizer)

    def train(self, batch: Batch, learning_rate: float) -> tf.Tensor:
        """One step; the loss before it, a scalar tensor."""
        return self._train(*self._tensors(batch, learning_rate))

    def _tensors(self, batch: Batch, learning_rate: float) -> tuple[Any, ...]:
        shapes = [(len(batch.features), *x.output.shape[1:]) for x in self._dropouts]
        return (
            _inputs(batch.features, batch.present),
            tf.convert_to_tensor(batch.classes),
            tf.convert_to_tensor(batch.weights),
            tf.constant(learning_rate, tf.float32),
            [tf.convert_to_tensor(numbers) for numbers in dropout.draw(self._bits, shapes)],
        )

    def score(
        self, codes: Codes, rows: NDArray[np.integer], held: NDArray | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Scores (n, outcomes) and log-probabilities (n, outcomes, 10) of ascending rows."""
        size = min(_SCORE_ROWS, -(-len(rows) // _SCORE_STEP) * _SCORE_STEP)
        scores = np.empty((len(rows), self.outcomes), np.float32)
        log_p = np.empty((len(rows), self.outcomes, N_DECILES), np.float32)
        start = 0
        for features in codes.chunks(rows, size, held):
            n = len(features)
            padded = np.pad(features, ((0, size - n), (0, 0), (0, 0))) if n < size else features
            present = codes.present(rows[start : start + n])
            if present is not None:  # of what is padded all views are there
                present = np.pad(present, ((0, size - n), (0, 0)), constant_values=True)
            part_scores, part_log_p = self._score(_inputs(padded, present))
            scores[start : start + n] = part_scores.numpy()[:n]
            log_p[start : start + n] = part_log_p.numpy()[:n]
            start += n
        return scores, log_p

    def _train_step(
        self, inputs: Any, classes: Any, weights: Any, learning_rate: Any, numbers: list[Any]
    ) -> Any:
        loss, gradients = self._gradients(inputs, classes, weights, numbers)
        self._apply(gradients, learning_rate)
        return loss

    def _gradients(
        self, inputs: Any, classes: Any, weights: Any, numbers: list[Any]
    ) -> tuple[Any, list[Any]]:
        with tf.GradientTape() as tape, dropout.given(self._dropouts, numbers):
            outputs = self._outputs(inputs, training=True)
            likelihood = log_likelihood(self._head.log_probabilities(outputs), classes)
            loss = -tf.reduce_mean(weights * likelihood)
            scaled = self._optimizer.scale_loss(loss)
        return loss, tape.gradient(scaled, self.network.trainable_variables)

    def _apply(self, gradients: list[Any], learning_rate: Any) -> None:
        self._optimizer.learning_rate.assign(learning_rate)
        self._optimizer.apply(gradients, self.network.trainable_variables)

    def _score_step(self, inputs: Any) -> tuple[Any, Any]:
        outputs = self._outputs(inputs, training=False)
        return self._head.score(outputs), self._head.log_probabilities(outputs)

    def _outputs(self, inputs: Any, *, training: bool) -> Any:
        features, *present = inputs
        codes = tf.cast(features, tf.float32)
        outputs = self.network([codes, *present] if present else codes, training=training)
        return tf.reshape(tf.cast(outputs, tf.float32), (-1, self.outcomes, self._head.units))


def trainer_for(
    profile: Profile, shape: CodeShape, outcomes: int, device: Device, frozen_blocks: int = 0
) -> Trainer:
    """The process's trainer of this kind, compiled once.

    Profiles that differ only in how long, how fast and on what they train share one.
    """
    same = {name: getattr(_ANY, name) for name in _NOT_COMPILED}
    return _kept(profile.model_copy(update=same), shape, outcomes, device, frozen_blocks)


@functools.lru_cache(maxsize=4)  # joint ones of two cities, those of one outcome, tuned ones
def _kept(
    profile: Profile, shape: CodeShape, outcomes: int, device: Device, frozen_blocks: int
) -> Trainer:
    return Trainer(profile, shape, outcomes, device, frozen_blocks)


def _inputs(features: NDArray, present: NDArray[np.bool_] | None) -> tuple[tf.Tensor, ...]:
    """Codes, and which views are there where some are absent, as tensors."""
    codes = as_tensor(features)
    return (codes,) if present is None else (codes, tf.convert_to_tensor(present))


def _optimizer(profile: Profile, device: Device) -> keras.optimizers.Optimizer:
    if profile.optimizer == "adamw":
        optimizer = keras.optimizers.AdamW(profile.learning_rate, weight_decay=profile.weight_decay)
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta", "thresholds"])
    else:
        optimizer = keras.optimizers.Adam(profile.learning_rate, epsilon=1e-8)
    if device.mixed_precision:
        return keras.optimizers.LossScaleOptimizer(optimizer)
    return optimizer


def _assign(variables: list[Any], values: list[NDArray]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
