"""The ordinal heads: how a network's outputs become probabilities of ten deciles.

These functions run inside training steps, on `keras.ops`; `binomial` has the first link on arrays.

Each head is a unit count, a last layer and one function to log-probabilities; the loss of all
three is the negative log-likelihood of these, so they train and are evaluated in the same way.
Sources: `binomial` is the original's link; `cumulative_link` is the proportional-odds model with
ordered, trained thresholds (McCullagh 1980); `corn` chains conditional probabilities P(y > k | y >
k - 1), one logit each (Shi, Cao & Raschka 2021), whose task losses add up to this likelihood per
row.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from streetineq_assets.labels.deciles import N_DECILES
from streetineq_assets.models.binomial import LOG_CHOOSE

_BORDERS = N_DECILES - 1
_LOG_CHOOSE = LOG_CHOOSE.astype(np.float32)
_CLASSES = np.arange(N_DECILES, dtype=np.float32)
_TINY = 1e-30


@dataclass(frozen=True)
class Head:
    """One way from the trunk's 64 features to ten deciles.

    Attributes:
        units: outputs per row and outcome.
        layer: makes the last layer for a number of outcomes; (n, 64) -> (n, outcomes * units).
        log_probabilities: (..., units) outputs -> (..., 10).
        score: (..., units) outputs -> (...): the h whose binomial has the same mean decile.
        bias: (units,) at which the last layer starts where 0 would not make ten classes even.
    """

    units: int
    layer: Callable[[int, Any], keras.layers.Layer]
    log_probabilities: Callable[[Any], Any]
    score: Callable[[Any], Any]
    bias: tuple[float, ...] | None = None


def log_likelihood(log_probabilities: Any, classes: Any) -> Any:
    """Log-probability of the class of each row; (..., 10) and (...) int 0..9 -> (...)."""
    return ops.sum(log_probabilities * ops.one_hot(classes, N_DECILES), axis=-1)


def binomial_log_probabilities(outputs: Any) -> Any:
    """(..., 1) logits h -> (..., 10) of Binomial(9, sigmoid(h))."""
    log_p, log_q = ops.log_sigmoid(outputs), ops.log_sigmoid(-outputs)
    return _LOG_CHOOSE + _CLASSES * log_p + (_BORDERS - _CLASSES) * log_q


def cumulative_log_probabilities(outputs: Any) -> Any:
    """(..., 9) falling logits of P(class > k) -> (..., 10) log of their differences.

    sigmoid(a) - sigmoid(b) = sigmoid(a) sigmoid(-b) (1 - exp(b - a)) for a > b, which keeps its
    precision where both sigmoids are 1.
    """
    upper, lower = outputs[..., :-1], outputs[..., 1:]
    gap = ops.maximum(upper - lower, 1e-6)
    between = ops.log_sigmoid(upper) + ops.log_sigmoid(-lower) + ops.log(-ops.expm1(-gap))
    first, last = ops.log_sigmoid(-outputs[..., :1]), ops.log_sigmoid(outputs[..., -1:])
    return ops.concatenate([first, between, last], axis=-1)


def corn_log_probabilities(outputs: Any) -> Any:
    """(..., 9) logits of P(class > k | class > k - 1) -> (..., 10)."""
    passed = ops.cumsum(ops.log_sigmoid(outputs), axis=-1)
    start = ops.zeros_like(passed[..., :1])
    reached = ops.concatenate([start, passed], axis=-1)
    stopped = ops.concatenate([ops.log_sigmoid(-outputs), start], axis=-1)
    return reached + stopped


@keras.saving.register_keras_serializable(package="streetineq")
class OrderedThresholds(keras.layers.Layer):
    """(n, outcomes) latent values -> (n, outcomes * 9) logits of P(class > k), falling in k.

    The first threshold is free, each next one lies a softplus above it. They start where ten
    classes are equally likely for a latent value of 0.
    """

    def build(self, input_shape: tuple[int | None, int]) -> None:
        """Make the thresholds, nine per outcome."""
        start = np.array([math.log(k / (N_DECILES - k)) for k in range(1, N_DECILES)])
        steps = np.log(np.expm1(np.diff(start)))
        self.raw = self.add_weight(
            shape=(input_shape[-1], _BORDERS),
            initializer=lambda shape, dtype=None: ops.broadcast_to(
                ops.convert_to_tensor(np.concatenate([start[:1], steps]), dtype=dtype), shape
            ),
            name="thresholds",
        )

    def call(self, inputs: Any) -> Any:
        """Latent values minus the ordered thresholds."""
        thresholds = ops.cumsum(
            ops.concatenate([self.raw[:, :1], ops.softplus(self.raw[:, 1:])], axis=1), axis=1
        )
        logits = inputs[:, :, None] - thresholds[None]
        return ops.reshape(logits, (-1, inputs.shape[-1] * _BORDERS))


def _dense(units: int) -> Callable[[int, Any], keras.layers.Layer]:
    def layer(outcomes: int, initializer: Any) -> keras.layers.Layer:
        return keras.layers.Dense(outcomes * units, kernel_initializer=initializer, name="head")

    return layer


def _ordered(outcomes: int, initializer: Any) -> keras.layers.Layer:
    latent = keras.layers.Dense(
        outcomes, kernel_initializer=initializer, use_bias=False, name="latent"
    )
    return keras.Sequential([latent, OrderedThresholds(name="thresholds")], name="head")


def _logit_of_mean(log_probabilities: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Logit of the expected class over nine; both ends are summed, so that it stays finite."""

    def score(outputs: Any) -> Any:
        p = ops.exp(log_probabilities(outputs))
        above, below = ops.sum(p * _CLASSES, axis=-1), ops.sum(p * _CLASSES[::-1], axis=-1)
        return ops.log(ops.maximum(above, _TINY)) - ops.log(ops.maximum(below, _TINY))

    return score


HEADS: dict[str, Head] = {
    "binomial": Head(1, _dense(1), binomial_log_probabilities, lambda outputs: outputs[..., 0]),
    "cumulative_link": Head(
        _BORDERS,
        _ordered,
        cumulative_log_probabilities,
        _logit_of_mean(cumulative_log_probabilities),
    ),
    "corn": Head(
        _BORDERS,
        _dense(_BORDERS),
        corn_log_probabilities,
        _logit_of_mean(corn_log_probabilities),
        # Of the 10 - k classes from k on, 9 - k lie above k.
        bias=tuple(math.log(_BORDERS - k) for k in range(_BORDERS)),
    ),
}
