"""A large square picture through a network that takes small ones: overlapping tiles, blended, inside the graph."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

CHUNK = 8  # tiles that go through the network together: what memory the network takes does not depend on the film
STEPS = 4  # a side; a crop network expects a mass in the middle, and with 2 steps the middle of each tile stands out
OCCUPIED = 0.02  # least share of a tile that must be of interest


def length(share: float, side: int) -> int:
    """Side in pixels of a picture of which a tile shows about `share` of a side: whole steps, at least one tile."""
    return side // STEPS * max(round(STEPS / share), STEPS)


def blend(network: Callable[[tf.Tensor], tf.Tensor], picture: tf.Tensor, interest: tf.Tensor, side: int) -> tf.Tensor:
    """Probability of every pixel: the mean of the tiles that show it, weighed by a Hann window.

    Tiles lie a step apart, side / STEPS. There the window's weights add up to a constant; they are divided by their
    sum, so that they add up to 1 at the edges too, where fewer tiles meet.

    Args:
        network: (n, side, side, 1) float32 to probabilities of the same shape, for any n.
        picture: (S, S, 1) float32, S a whole number of steps.
        interest: (S, S, 1) float32 of 0 and 1: a tile that holds hardly any 1 is left out.
        side: Of a tile, in pixels; a multiple of STEPS.

    Returns:
        (S, S, 1) float32; 0 where no tile came.
    """
    corners = _corners(interest, side)
    window = tf.constant(_hann(side), tf.float32)[..., tf.newaxis]
    size = tf.shape(picture)[0]

    def add(start, sums):
        where = _pixels_of(corners[start : start + CHUNK], side)  # (n, side, side, 2)
        probability = network(tf.gather_nd(picture, where))
        both = tf.concat([probability * window, tf.ones_like(probability) * window], axis=-1)
        return start + CHUNK, tf.tensor_scatter_nd_add(sums, where, both)

    shapes = tf.TensorShape([]), tf.TensorShape([None, None, 2])
    _, sums = tf.while_loop(lambda start, _: start < tf.shape(corners)[0], add, (0, tf.zeros([size, size, 2])), shapes,
                            parallel_iterations=1)  # fmt: skip
    return tf.math.divide_no_nan(sums[..., :1], sums[..., 1:])


def _corners(interest: tf.Tensor, side: int) -> tf.Tensor:
    """Upper left corners (n, 2) int32 of the tiles that are occupied."""
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
