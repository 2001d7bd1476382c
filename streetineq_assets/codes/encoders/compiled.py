"""The forward pass of a Keras model, compiled for the device at hand."""

from typing import TYPE_CHECKING, Any

import numpy as np

from streetineq_assets.codes.encoders.encoder import Encode
from streetineq_assets.devices import Device

if TYPE_CHECKING:
    import keras


def compile_model(model: "keras.Model", *, batch_size: int, device: Device) -> Encode:
    """The forward pass as one compiled function of one shape, spread over the device's parts.

    Args:
        model: built in `device.strategy().scope()`.
        batch_size: images per call, divisible by the number of replicas.

    Returns:
        Function of float32 (batch_size, height, width, 3) to a float32 tensor (batch_size, width).
    """
    import tensorflow as tf

    strategy = device.strategy()
    replicas = strategy.num_replicas_in_sync
    shape = tf.TensorSpec((batch_size // replicas, *model.input_shape[1:]), tf.float32)

    def forward(images: Any) -> Any:
        return tf.cast(model(images, training=False), tf.float32)

    if replicas == 1:
        return tf.function(forward, input_signature=[shape], jit_compile=device.jit_inference)

    compiled = tf.function(forward, jit_compile=device.jit_inference)

    @tf.function
    def forward_everywhere(images: Any) -> Any:
        return strategy.run(compiled, args=(images,))

    def encode(images: np.ndarray) -> Any:
        parts = np.split(images, replicas)
        spread = strategy.experimental_distribute_values_from_function(
            lambda context: tf.constant(parts[context.replica_id_in_sync_group])
        )
        codes = strategy.experimental_local_results(forward_everywhere(spread))
        return tf.concat([tf.identity(part) for part in codes], axis=0)

    return encode
