"""Resizing inside the exported graph, for any picture size."""

import tensorflow as tf


def resize(pictures: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """Bilinear resize with antialiasing, the same as `tf.image.resize(..., antialias=True)`.

    Training pictures were shrunk by averaging areas, so a film shrunk by taking single pixels would be noisier than
    anything the network has seen. TensorFlow's own antialiased resize has no kernel in XLA, ONNX, OpenVINO or LiteRT;
    a resize is linear in each axis, so here it is two matrix products, which run everywhere.

    Args:
        pictures: (N, H, W, 1) float32.
        size: Height and width of the result, (2,) int32.

    Returns:
        (N, height, width, 1) float32; `pictures` itself, to the bit, when the size is already right.
    """
    shape = tf.shape(pictures)[1:3]
    return tf.cond(tf.reduce_all(shape == size), lambda: pictures, lambda: _resampled(pictures, shape, size))


def _resampled(pictures: tf.Tensor, shape: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    rows = _triangle_weights(shape[0], size[0])
    columns = _triangle_weights(shape[1], size[1])
    resized = tf.matmul(tf.matmul(rows, pictures[..., 0]), columns, transpose_b=True)
    return resized[..., tf.newaxis]


def _triangle_weights(length: tf.Tensor, new_length: tf.Tensor) -> tf.Tensor:
    """(new_length, length): how much each old pixel gives to each new one, by a triangle about the new pixel's centre.

    The triangle is one old pixel wide to each side when enlarging and one new pixel wide when shrinking.
    """
    scale = tf.cast(length, tf.float32) / tf.cast(new_length, tf.float32)
    centres = (tf.range(tf.cast(new_length, tf.float32)) + 0.5) * scale
    pixels = tf.range(tf.cast(length, tf.float32)) + 0.5
    distance = tf.abs(pixels - centres[:, tf.newaxis]) / tf.maximum(scale, 1.0)
    weights = tf.maximum(1.0 - distance, 0.0)
    return weights / tf.reduce_sum(weights, axis=1, keepdims=True)
