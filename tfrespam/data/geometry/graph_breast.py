"""Segment the breast on a film inside the exported graph, by the same steps as `breast` on the same grid."""

import tensorflow as tf

from tfrespam.data.geometry.breast import CELLS, MARGIN
from tfrespam.data.geometry.graph_resize import shared_resize


def region(film: tf.Tensor) -> tf.Tensor:
    """Segment the breast in `film` (H, W, 1) float32 in [0, 1] as bool cells (rows, columns); all true if not found."""
    cells = shared_resize(film[tf.newaxis], _grid(tf.shape(film)[:2]))[0, :, :, 0]
    grey = tf.cast(tf.round(tf.clip_by_value(cells, 0.0, 1.0) * 255.0), tf.int32)
    bright = tf.cast(tf.cast(grey, tf.float32) > tf.maximum(_otsu(grey) / 3.0, 4.0), tf.float32)
    labels = _components(_dilate(-_dilate(-bright, 1), 1))
    sizes = tf.math.bincount(tf.cast(labels, tf.int32), minlength=2)[1:]  # without the background
    largest = tf.cast(labels == tf.cast(1 + tf.argmax(sizes), tf.float32), tf.float32)
    breast = _dilate(largest, MARGIN) > 0
    return tf.logical_or(breast, tf.reduce_max(sizes) == 0)


def box(cells: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """Return the bounding box y0, x0, y1, x1 (4,) int32 of true cells, in pixels of a film of `size` (2,) int32."""
    ends = []
    for axis in (0, 1):
        filled = tf.cast(tf.where(tf.reduce_any(cells, axis=1 - axis))[:, 0], tf.int32)
        length, count = size[axis], tf.shape(cells)[axis]
        ends.append((filled[0] * length // count, -(-(filled[-1] + 1) * length // count)))
    return tf.stack([ends[0][0], ends[1][0], ends[0][1], ends[1][1]])


def pixels(cells: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """Enlarge `cells` to a film's `size`, as float32 (H, W, 1) of 0 and 1; each pixel has its cell's value."""
    rows, columns = (tf.range(size[axis]) * tf.shape(cells)[axis] // size[axis] for axis in (0, 1))
    return tf.cast(tf.gather(tf.gather(cells, rows), columns, axis=1), tf.float32)[..., tf.newaxis]


def _grid(size: tf.Tensor) -> tf.Tensor:
    longest = tf.reduce_max(size)
    cells = tf.round(CELLS * tf.cast(size, tf.float64) / tf.cast(longest, tf.float64))  # half to even, as in Python
    return tf.maximum(tf.cast(cells, tf.int32), 1)


def _otsu(grey: tf.Tensor) -> tf.Tensor:
    """Compute Otsu's threshold of greys (0 to 255); the lower class includes the threshold."""
    counts = tf.cast(tf.math.bincount(tf.reshape(grey, [-1]), minlength=256, maxlength=256), tf.float64)
    share = counts / tf.reduce_sum(counts)
    below, moment = tf.cumsum(share), tf.cumsum(share * tf.range(256, dtype=tf.float64))
    between = tf.math.divide_no_nan(tf.square(moment[-1] * below - moment), below * (1 - below))
    return tf.cast(tf.argmax(tf.where(below < 1 - 1e-9, between, 0)), tf.float32)


def _components(bright: tf.Tensor) -> tf.Tensor:
    """Label the connected components of `bright` (rows, columns) by numbers above 0, with 0 elsewhere.

    Each cell starts with a unique number and takes the largest number among its neighbours until nothing changes.
    """
    numbers = tf.reshape(tf.range(1.0, tf.cast(tf.size(bright), tf.float32) + 1), tf.shape(bright))

    def spread(labels, _):
        new = _dilate(labels, 1) * bright
        return new, tf.reduce_any(new != labels)

    return tf.while_loop(lambda _, changed: changed, spread, (numbers * bright, True))[0]


def _dilate(cells: tf.Tensor, reach: int) -> tf.Tensor:
    """Dilate (rows, columns) float32: the largest value within `reach` cells."""
    return tf.nn.max_pool2d(cells[tf.newaxis, :, :, tf.newaxis], 2 * reach + 1, 1, "SAME")[0, :, :, 0]
