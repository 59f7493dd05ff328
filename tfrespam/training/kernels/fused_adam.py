"""Fused Adam update: use TensorFlow's single kernel while a network trains on one device.

Keras 3 composes the update from ten operations a weight, which read and write memory about twenty times; the kernel
computes the same formula in one pass.
"""

import functools

import keras
import tensorflow as tf

from tfrespam.training.optimizer import inner


def fuse_update(optimizer: keras.optimizers.Optimizer) -> None:
    """Make Adam and AdamW update float32 weights by the fused kernel; other optimizers are unchanged."""
    optimizer = inner(optimizer)
    if isinstance(optimizer, keras.optimizers.Adam) and not optimizer.amsgrad:  # AdamW is an Adam
        optimizer.update_step = functools.partial(_update, optimizer, optimizer.update_step)


def _update(optimizer, unfused, gradient, variable, learning_rate):
    if variable.dtype != tf.float32 or isinstance(gradient, tf.IndexedSlices):
        return unfused(gradient, variable, learning_rate)
    step = tf.cast(optimizer.iterations + 1, tf.float32)
    position = optimizer._get_variable_index(variable)
    moments = optimizer._momentums[position], optimizer._velocities[position]
    return tf.raw_ops.ResourceApplyAdam(
        var=variable.handle, m=moments[0].value.handle, v=moments[1].value.handle,
        beta1_power=tf.pow(optimizer.beta_1, step), beta2_power=tf.pow(optimizer.beta_2, step),
        lr=tf.cast(learning_rate, tf.float32), beta1=optimizer.beta_1, beta2=optimizer.beta_2,
        epsilon=optimizer.epsilon, grad=gradient)  # fmt: skip
