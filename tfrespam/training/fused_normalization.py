"""Batch normalisation by TensorFlow's fused operation while a network trains on one device.

Keras 3 puts it together from a dozen elementwise operations, each a pass through memory and most of them twice, since
their gradients are as many; oneDNN and cuDNN have one kernel for all of it. What is stored, loaded and exported stays a
`keras.layers.BatchNormalization`.
"""

import functools

import keras
import tensorflow as tf

KERNEL_TYPES = ("float32", "bfloat16")  # of the features; statistics and weights are float32 in both


def fuse(model: keras.Model) -> None:
    """Lets every batch normalisation of `model` that can compute its training step in the fused kernel."""
    for layer in model._flatten_layers():
        if type(layer) is keras.layers.BatchNormalization and _fusible(layer):
            layer.call = functools.partial(_call, layer, layer.call)


def _fusible(layer: keras.layers.BatchNormalization) -> bool:
    kernel_has = layer.axis in (-1, 3) and layer.center and layer.scale and not layer.synchronized
    return kernel_has and layer.compute_dtype in KERNEL_TYPES


def _call(layer, unfused, inputs, training=None, mask=None):
    if not (training and layer.trainable and mask is None and len(inputs.shape) == 4):
        return unfused(inputs, training=training, mask=mask)
    outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
        inputs, layer.gamma, layer.beta, epsilon=layer.epsilon, is_training=True)  # fmt: skip
    count = tf.cast(tf.size(inputs) / tf.shape(inputs)[-1], variance.dtype)
    variance *= (count - 1) / count  # the kernel gives the sample's estimate, Keras keeps the batch's own
    for moving, found in ((layer.moving_mean, mean), (layer.moving_variance, variance)):
        moving.assign(moving * layer.momentum + tf.stop_gradient(found) * (1.0 - layer.momentum))
    return outputs
