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


def to_square(pictures: tf.Tensor, side: int) -> tf.Tensor:
    """(N, H, W, 1) squared with black on both sides and resized to (N, side, side, 1).

    The black is never made: it has no weight in the sums. A picture of 1 x 30,000 pixels would need 3.6 GB of it.
    """
    rows, columns = (_square_weights(pictures, axis, side) for axis in (0, 1))
    return _product(rows, pictures, columns)


def from_square(pictures: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """Undoes `to_square`: (N, side, side, 1) to the (N, height, width, 1) that is no black; `size` (2,) int32."""
    longest, before = tf.reduce_max(size), _margin_before(size)
    weights = (_triangle_weights(tf.shape(pictures)[1], longest, before[axis], size[axis]) for axis in (0, 1))
    rows, columns = weights
    return _product(rows, pictures, columns)


def _margin_before(shape: tf.Tensor) -> tf.Tensor:
    return (tf.reduce_max(shape) - shape + 1) // 2  # the odd pixel goes first, as in data.crop.square_around


def _square_weights(pictures: tf.Tensor, axis: int, side: int) -> tf.Tensor:
    """(side, H or W): the weights of a square's rows or columns, but for those that are black."""
    shape = tf.shape(pictures)[1:3]
    before = _margin_before(shape)[axis]
    return _triangle_weights(tf.reduce_max(shape), side)[:, before : before + shape[axis]]


def _resampled(pictures: tf.Tensor, shape: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    return _product(_triangle_weights(shape[0], size[0]), pictures, _triangle_weights(shape[1], size[1]))


def _product(rows: tf.Tensor, pictures: tf.Tensor, columns: tf.Tensor) -> tf.Tensor:
    resized = tf.matmul(tf.matmul(rows, pictures[..., 0]), columns, transpose_b=True)
    return resized[..., tf.newaxis]


def _triangle_weights(length: tf.Tensor, new_length: tf.Tensor, first: tf.Tensor = 0, count: tf.Tensor | None = None):
    """(count, length): how much each old pixel gives to each new one, by a triangle about the new pixel's centre.

    The triangle reaches one old pixel to each side when enlarging and one new pixel when shrinking. `first` and
    `count` ask for some of the `new_length` new pixels only.
    """
    scale = tf.cast(length, tf.float32) / tf.cast(new_length, tf.float32)
    count = new_length if count is None else count
    centres = (tf.range(tf.cast(count, tf.float32)) + tf.cast(first, tf.float32) + 0.5) * scale
    pixels = tf.range(tf.cast(length, tf.float32)) + 0.5
    distance = tf.abs(pixels - centres[:, tf.newaxis]) / tf.maximum(scale, 1.0)
    weights = tf.maximum(1.0 - distance, 0.0)
    return weights / tf.reduce_sum(weights, axis=1, keepdims=True)
