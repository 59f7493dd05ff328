"""Fused batch normalisation: use TensorFlow's fused operation while a network trains on one device.

Keras 3 composes batch normalisation from a dozen elementwise operations, each of which passes through memory, and most
of them again for the gradient; oneDNN and cuDNN have one kernel for all of it. The layer that is saved, loaded and
exported is still `keras.layers.BatchNormalization`.
"""

import functools

import keras
import tensorflow as tf

KERNEL_TYPES = ("float32", "bfloat16")  # dtypes of the features; statistics and weights are float32 for both


def fuse(model: keras.Model) -> None:
    """Make the batch normalisation layers of `model` use the fused kernel in training, where it supports them."""
    for layer in model._flatten_layers():
        if type(layer) is keras.layers.BatchNormalization and _fusible(layer):
            layer.call = functools.partial(_call, layer, layer.call)


def _fusible(layer: keras.layers.BatchNormalization) -> bool:
    supported = layer.axis in (-1, 3) and layer.center and layer.scale and not layer.synchronized
    return supported and layer.compute_dtype in KERNEL_TYPES


def _call(layer, unfused, inputs, training=None, mask=None):
    if not (training and layer.trainable and mask is None and len(inputs.shape) == 4):
        return unfused(inputs, training=training, mask=mask)
    outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
        inputs, layer.gamma, layer.beta, epsilon=layer.epsilon, is_training=True)  # fmt: skip
    count = tf.cast(tf.size(inputs) / tf.shape(inputs)[-1], variance.dtype)
    variance *= (count - 1) / count  # the kernel returns the unbiased estimate, Keras uses the biased one
    for moving, batch in ((layer.moving_mean, mean), (layer.moving_variance, variance)):
        moving.assign(moving * layer.momentum + tf.stop_gradient(batch) * (1.0 - layer.momentum))
    return outputs
