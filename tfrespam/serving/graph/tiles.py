"""Apply a network to overlapping tiles of a large square image and blend them, in the exported graph."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

CHUNK = 8  # tiles per call of the network, so that its memory does not depend on the film's size
STEPS = 4  # steps per side; with 2, a crop network predicts a mass in the middle of each tile
OCCUPIED = 0.02  # lowest share of a tile inside `interest`


def length(share: float, side: int) -> int:
    """Return the image side in pixels: side / share, rounded to a multiple of side / STEPS, at least `side`."""
    return side // STEPS * max(round(STEPS / share), STEPS)


def blend(network: Callable[[tf.Tensor], tf.Tensor], image: tf.Tensor, interest: tf.Tensor, side: int) -> tf.Tensor:
    """Compute the probability of every pixel as the mean of the tiles that contain it, weighted by a Hann window.

    Tiles are one step, side / STEPS, apart. Weights are divided by their sum at each pixel, which is smaller at the
    edges, where fewer tiles overlap.

    Args:
        network: Maps images (n, side, side, 1) float32 to probabilities of the same shape, for any n.
        image: (S, S, 1) float32, S a whole number of steps.
        interest: (S, S, 1) float32 of 0 and 1: tiles with hardly any 1 are omitted.
        side: Side of a tile in pixels; a multiple of STEPS.

    Returns:
        (S, S, 1) float32; 0 where there is no tile.
    """
    corners = _corners(interest, side)
    window = tf.constant(_hann(side), tf.float32)[..., tf.newaxis]
    size = tf.shape(image)[0]

    def add(start, sums):
        where = _pixels_of(corners[start : start + CHUNK], side)  # (n, side, side, 2)
        probability = network(tf.gather_nd(image, where))
        both = tf.concat([probability * window, tf.ones_like(probability) * window], axis=-1)
        return start + CHUNK, tf.tensor_scatter_nd_add(sums, where, both)

    shapes = tf.TensorShape([]), tf.TensorShape([None, None, 2])
    _, sums = tf.while_loop(lambda start, _: start < tf.shape(corners)[0], add, (0, tf.zeros([size, size, 2])), shapes,
                            parallel_iterations=1)  # fmt: skip
    return tf.math.divide_no_nan(sums[..., :1], sums[..., 1:])


def _corners(interest: tf.Tensor, side: int) -> tf.Tensor:
    """Return the upper left corners (n, 2) int32 of the tiles to which the network is applied."""
    step = side // STEPS
    steps = tf.nn.avg_pool2d(interest[tf.newaxis], step, step, "VALID")
    occupied = tf.nn.avg_pool2d(steps, STEPS, 1, "VALID")[0, :, :, 0] >= OCCUPIED
    return tf.cast(tf.where(occupied), tf.int32) * step


def _pixels_of(corners: tf.Tensor, side: int) -> tf.Tensor:
    grid = np.stack(np.meshgrid(np.arange(side), np.arange(side), indexing="ij"), axis=-1)
    return corners[:, tf.newaxis, tf.newaxis] + tf.constant(grid, tf.int32)


def _hann(side: int) -> np.ndarray:
    rise = np.sin(np.pi * (np.arange(side) + 0.5) / side) ** 2
    return np.outer(rise, rise)
