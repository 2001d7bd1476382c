"""From what a network makes of each view to one row for the location: their mean, or attention.

Gated attention (Ilse, Tomczak and Welling 2018, equation 9): a view's weight is the softmax, over
the views that are there, of w' (tanh(V h) * sigmoid(U h)) of its features h. It can follow one
telling view where the mean thins it by the number of views. It starts as the mean, with w = 0, and
its logits are eight times theirs: in the few hundred steps of a training they would hardly leave 0.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import keras

from streetineq_assets.errors import TrainingError
from streetineq_assets.profiles import Pooling

ATTENTION_UNITS = 64
_STEEPNESS = 8.0


class SplitAtViews(NamedTuple):
    """A network before and after it pools the views; its layers are shared.

    Attributes:
        of_views: (n, V, width) codes -> (n, V, units) a row for each view, and (n, V), the logits
            of the views' weights; for a mean the row alone.
        of_pooled: (n, units), the weighted mean of some rows -> the network's outputs.
    """

    of_views: keras.Model
    of_pooled: keras.Model


def pool_views(
    x: Any, pooling: Pooling, *, initializers: Sequence[Any], present: Any = None
) -> Any:
    """(n, V, units) -> (n, units) over the views that are there.

    Args:
        initializers: of the attention's kernels V and U.
        present: (n, V) bool; None where all are.

    Raises:
        TrainingError: there is one view for attention to choose from.
    """
    if pooling == "attention" and x.shape[1] == 1:
        raise TrainingError(
            "attention chooses between views, and these locations have one each: set "
            'pooling = "mean" under [training.overrides], or take networks of the mean'
        )
    mask = {} if present is None else {"mask": present}
    if pooling == "mean":
        return keras.layers.GlobalAveragePooling1D(name="mean_of_views")(x, **mask)
    kinds = (("value", "tanh"), ("gate", "sigmoid"))
    halves = [
        keras.layers.Dense(
            ATTENTION_UNITS, activation, kernel_initializer=initializer, name=f"attention_{name}"
        )(x)
        for (name, activation), initializer in zip(kinds, initializers, strict=True)
    ]
    gated = keras.layers.Multiply(name="attention_gated")(halves)
    logits = keras.layers.Dense(
        1, use_bias=False, kernel_initializer="zeros", name="attention_logit"
    )(gated)
    logits = keras.layers.Rescaling(_STEEPNESS, name="attention_logits")(logits)
    logits = keras.ops.squeeze(logits, axis=-1)
    weights = keras.layers.Softmax(axis=1, name="attention")(logits, **mask)
    return keras.layers.Dot(axes=1, name="attended_views")([weights, x])


def split_at_views(network: keras.Model) -> SplitAtViews | None:
    """Cut a network where it pools the views; None where it does so in another way.

    Args:
        network: that takes no mask.
    """
    for layer in network.layers:
        if isinstance(layer, keras.layers.GlobalAveragePooling1D):
            before = layer.input
        elif isinstance(layer, keras.layers.Dot):
            features = layer.input[1]
            before = [features, network.get_layer("attention").input]
        else:
            continue
        return SplitAtViews(
            keras.Model(network.input, before), keras.Model(layer.output, network.output)
        )
    return None
