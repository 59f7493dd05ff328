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


def to_square(pictures: tf.Tensor) -> tf.Tensor:
    """Pads (N, H, W, 1) with black on both sides to (N, S, S, 1), S the longer of H and W."""
    shape = tf.shape(pictures)[1:3]
    before = _margin_before(shape)
    after = tf.reduce_max(shape) - shape - before
    margins = tf.stack([before, after], axis=1)
    return tf.pad(pictures, tf.pad(margins, [[1, 1], [0, 0]]))


def from_square(pictures: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """Undoes `to_square`: the (N, height, width, 1) part of (N, S, S, 1) that is no padding."""
    before = _margin_before(size)
    return pictures[:, before[0] : before[0] + size[0], before[1] : before[1] + size[1]]


def _margin_before(shape: tf.Tensor) -> tf.Tensor:
    return (tf.reduce_max(shape) - shape + 1) // 2  # the odd pixel goes first, as in data.crop.square_around


def _resampled(pictures: tf.Tensor, shape: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    rows = _triangle_weights(shape[0], size[0])
    columns = _triangle_weights(shape[1], size[1])
    resized = tf.matmul(tf.matmul(rows, pictures[..., 0]), columns, transpose_b=True)
    return resized[..., tf.newaxis]


def _triangle_weights(length: tf.Tensor, new_length: tf.Tensor) -> tf.Tensor:
    """(new_length, length): how much each old pixel gives to each new one, by a triangle about the new pixel's centre.

    The triangle reaches one old pixel to each side when enlarging and one new pixel when shrinking.
    """
    scale = tf.cast(length, tf.float32) / tf.cast(new_length, tf.float32)
    centres = (tf.range(tf.cast(new_length, tf.float32)) + 0.5) * scale
    pixels = tf.range(tf.cast(length, tf.float32)) + 0.5
    distance = tf.abs(pixels - centres[:, tf.newaxis]) / tf.maximum(scale, 1.0)
    weights = tf.maximum(1.0 - distance, 0.0)
    return weights / tf.reduce_sum(weights, axis=1, keepdims=True)
