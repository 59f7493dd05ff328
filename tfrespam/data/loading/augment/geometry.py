"""Geometric transforms: each draws its numbers and gives a 3x3 matrix. Angles are counter-clockwise."""

import math

import tensorflow as tf

from tfrespam.data.loading.augment.transform import Geometric


def affine(a, b, x, c, d, y) -> tf.Tensor:
    """Stack the rows (a, b, x), (c, d, y) and (0, 0, 1), each entry (N,), to matrices (N, 3, 3)."""
    zero, one = tf.zeros_like(a), tf.ones_like(a)
    return tf.reshape(tf.stack([a, b, x, c, d, y, zero, zero, one], -1), (-1, 3, 3))


def _linear(a, b, c, d) -> tf.Tensor:
    return affine(a, b, tf.zeros_like(a), c, d, tf.zeros_like(a))


class Rotation(Geometric):
    """Rotation about the centre, uniform within plus and minus `degrees`."""

    def __init__(self, degrees: float):
        self.degrees = degrees

    def draw(self, numbers):
        return numbers[:, 0] * (self.degrees * math.pi / 180)  # radians

    def matrix(self, drawn, height, width):
        cos, sin = tf.cos(drawn), tf.sin(drawn)
        return _linear(cos, -sin, sin, cos)


class QuarterTurn(Geometric):
    """Turn by a random multiple of 90 degrees; of 180 where height and width differ, so that nothing is cut off."""

    def draw(self, numbers):
        return tf.cast(tf.floor(numbers[:, 0] * 2.0), tf.int32) + 2  # quarter turns, 0 to 3

    def matrix(self, drawn, height, width):
        turns = tf.where(tf.equal(height, width), drawn, drawn // 2 * 2)
        cos, sin = tf.gather([1.0, 0.0, -1.0, 0.0], turns), tf.gather([0.0, 1.0, 0.0, -1.0], turns)
        return _linear(cos, -sin, sin, cos)


class Zoom(Geometric):
    """Zoom about the centre, log-uniform within 1/(1+scale) and 1+scale."""

    def __init__(self, scale: float):
        self.scale = scale

    def draw(self, numbers):
        return tf.pow(1.0 + self.scale, numbers[:, 0])  # above 1 enlarges

    def matrix(self, drawn, height, width):
        zero = tf.zeros_like(drawn)
        return _linear(1.0 / drawn, zero, zero, 1.0 / drawn)


class Flip(Geometric):
    """Mirroring left-right and top-bottom, each with probability one half."""

    count = 2

    def draw(self, numbers):
        return tf.where(numbers < 0.0, -1.0, 1.0)  # (N, 2): of x, of y

    def matrix(self, drawn, height, width):
        x, y = tf.unstack(drawn, axis=1)
        return _linear(x, tf.zeros_like(x), tf.zeros_like(x), y)


class Shift(Geometric):
    """Translation, uniform within plus and minus `share` of the height and of the width."""

    count = 2

    def __init__(self, share: float):
        self.share = share

    def draw(self, numbers):
        return numbers * self.share  # (N, 2): down, right

    def matrix(self, drawn, height, width):
        down, right = tf.unstack(drawn, axis=1)
        zero, one = tf.zeros_like(down), tf.ones_like(down)
        return affine(one, zero, -right * width, zero, one, -down * height)
