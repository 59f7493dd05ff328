"""Resize images of any size inside the exported graph."""

import tensorflow as tf

from tfrespam.data.geometry.crop import Size, sides


def resize(images: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """Resize bilinearly with antialiasing, equal to `tf.image.resize(..., antialias=True)`.

    Training images were shrunk by area averaging, so a film shrunk by sampling single pixels would be noisier than any
    training image. TensorFlow's antialiased resize has no kernel in XLA, ONNX, OpenVINO or LiteRT. Since resizing is
    linear along each axis, it is computed here by two matrix products, which run everywhere.

    Args:
        images: (N, H, W, 1) float32.
        size: Height and width of the result, (2,) int32.

    Returns:
        (N, height, width, 1) float32; bitwise equal to `images` if the size is already right.
    """
    shape = tf.shape(images)[1:3]
    return tf.cond(tf.reduce_all(shape == size), lambda: images, lambda: _resampled(images, shape, size))


# The same as one function of the graph, which is traced once for the many resizes of a film. tf2onnx cannot convert a
# call of it, so signatures that are converted use `resize`.
shared_resize = tf.function(resize, [tf.TensorSpec([None, None, None, 1]), tf.TensorSpec([2], tf.int32)],
                            autograph=False)  # fmt: skip


def to_frame(images: tf.Tensor, size: Size) -> tf.Tensor:
    """Pad (N, H, W, 1) with black on both sides to the aspect ratio of `size` and resize to (N, *size, 1).

    The padding is not materialised, since zero pixels do not contribute to the sums. It would need 3.6 GB for an image
    of 1 x 30,000 pixels.
    """
    shape, new = tf.shape(images)[1:3], sides(size)
    around, before = _frame(shape, new)
    rows, columns = (_triangle_weights(around[axis], new[axis])[:, before[axis] : before[axis] + shape[axis]]
                     for axis in (0, 1))  # fmt: skip
    return _product(rows, images, columns)


def from_frame(images: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """Invert `to_frame`: resize (N, h, w, 1) and remove the padding, to (N, height, width, 1); `size` (2,) int32."""
    inner = tuple(tf.unstack(tf.shape(images)[1:3]))
    around, before = _frame(size, inner)
    rows, columns = (_triangle_weights(inner[axis], around[axis], before[axis], size[axis]) for axis in (0, 1))
    return _product(rows, images, columns)


def frame(shape: tf.Tensor, size: Size) -> tf.Tensor:
    """Compute `tfrespam.data.geometry.crop.frame` in the graph: (2,) int32 for a `shape` (2,) int32."""
    height, width = sides(size)
    rows, columns = shape[0], shape[1]
    return tf.stack([tf.maximum(rows, (columns * height + width // 2) // width),
                     tf.maximum(columns, (rows * width + height // 2) // height)])  # fmt: skip


def _frame(shape: tf.Tensor, size: Size) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the frame around `shape` and its padding before the image."""
    around = frame(shape, size)
    return around, (around - shape + 1) // 2  # the odd pixel goes first, as in data.geometry.crop.frame_around


def _resampled(images: tf.Tensor, shape: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    return _product(_triangle_weights(shape[0], size[0]), images, _triangle_weights(shape[1], size[1]))


def _product(rows: tf.Tensor, images: tf.Tensor, columns: tf.Tensor) -> tf.Tensor:
    resized = tf.matmul(tf.matmul(rows, images[..., 0]), columns, transpose_b=True)
    return resized[..., tf.newaxis]


def _triangle_weights(length: tf.Tensor, new_length: tf.Tensor, first: tf.Tensor = 0, count: tf.Tensor | None = None):
    """Compute weights (count, length) of old pixels for new ones, by a triangle filter at each new pixel's centre.

    The triangle extends one old pixel to each side when enlarging, and one new pixel when shrinking. `first` and
    `count` select a range of the `new_length` new pixels.
    """
    scale = tf.cast(length, tf.float32) / tf.cast(new_length, tf.float32)
    count = new_length if count is None else count
    centres = (tf.range(tf.cast(count, tf.float32)) + tf.cast(first, tf.float32) + 0.5) * scale
    pixels = tf.range(tf.cast(length, tf.float32)) + 0.5
    distance = tf.abs(pixels - centres[:, tf.newaxis]) / tf.maximum(scale, 1.0)
    weights = tf.maximum(1.0 - distance, 0.0)
    return weights / tf.reduce_sum(weights, axis=1, keepdims=True)
