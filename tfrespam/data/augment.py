"""Random changes of training pictures: drawing the numbers is one step, applying them another, so both can be replayed.

`draw` is stateless: the same seed gives the same transform on every machine, in any order of calls.
"""

from typing import NamedTuple

import tensorflow as tf

from tfrespam.config import AugmentConfig


class Transform(NamedTuple):
    """One drawn change of one picture; every field is a float32 scalar tensor."""

    angle: tf.Tensor  # radians, counter-clockwise
    zoom: tf.Tensor  # above 1 enlarges
    down: tf.Tensor  # share of the side
    right: tf.Tensor
    flip_x: tf.Tensor  # 1 or -1
    flip_y: tf.Tensor
    gamma: tf.Tensor
    contrast: tf.Tensor
    noise_seed: tf.Tensor  # int32 [2]


def draw(config: AugmentConfig, seed: tf.Tensor) -> Transform:
    """Draws a transform from `seed`, an int [2] tensor."""
    seed = tf.cast(seed, tf.int32)
    u = tf.random.stateless_uniform([8], seed, -1.0, 1.0)
    coin = tf.where(tf.random.stateless_uniform([2], seed + [0, 1 << 20], -1.0, 1.0) < 0, -1.0, 1.0)
    turns = tf.floor(u[7] * 2.0) if config.quarter_turns else 0.0
    return Transform(
        angle=u[0] * config.rotation_degrees * (3.14159265358979 / 180) + turns * (3.14159265358979 / 2),
        zoom=tf.pow(1.0 + config.scale, u[1]),
        down=u[2] * config.shift,
        right=u[3] * config.shift,
        flip_x=coin[0] if config.flips else tf.constant(1.0),
        flip_y=coin[1] if config.flips else tf.constant(1.0),
        gamma=tf.pow(1.0 + config.gamma, u[4]),
        contrast=1.0 + u[5] * config.contrast,
        noise_seed=seed + [1 << 20, 0],
    )


def apply(transform: Transform, image: tf.Tensor, mask: tf.Tensor, noise: float = 0.0) -> tuple[tf.Tensor, tf.Tensor]:
    """Applies one transform to `image` (H, W, 1) float32 in [0, 1] and `mask` (H, W, 1) of {0, 1}, float32 both.

    Geometry moves image and mask by one bilinear resampling, reflected at the edge; the mask is made binary again.
    """
    both = _resample(tf.concat([image, tf.cast(mask, tf.float32)], -1), _matrix(transform, tf.shape(image)))
    image, mask = both[..., :1], tf.cast(both[..., 1:] >= 0.5, tf.float32)
    return _regrade(transform, image, noise), mask


def _matrix(transform: Transform, shape: tf.Tensor) -> tf.Tensor:
    """The 8 numbers of ImageProjectiveTransformV3 that take output (x, y) to input, about the picture's centre."""
    height, width = tf.cast(shape[0], tf.float32), tf.cast(shape[1], tf.float32)
    cx, cy = (width - 1) / 2, (height - 1) / 2
    cos, sin = tf.cos(transform.angle) / transform.zoom, tf.sin(transform.angle) / transform.zoom
    a, b = cos * transform.flip_x, -sin * transform.flip_y
    c, d = sin * transform.flip_x, cos * transform.flip_y
    tx, ty = cx + transform.right * width, cy + transform.down * height
    return tf.stack([a, b, cx - a * tx - b * ty, c, d, cy - c * tx - d * ty, 0.0, 0.0])[None]


def _resample(picture: tf.Tensor, matrix: tf.Tensor) -> tf.Tensor:
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=picture[None], transforms=matrix, output_shape=tf.shape(picture)[:2], fill_value=0.0,
        interpolation="BILINEAR", fill_mode="REFLECT")[0]  # fmt: skip


def _regrade(transform: Transform, image: tf.Tensor, noise: float) -> tf.Tensor:
    """Gamma, then contrast about the mean, then noise; identity values change nothing. Clipped to [0, 1]."""
    image = tf.pow(tf.clip_by_value(image, 0.0, 1.0), transform.gamma)
    mean = tf.reduce_mean(image)
    image = mean + (image - mean) * transform.contrast
    if noise:
        image += noise * tf.random.stateless_normal(tf.shape(image), transform.noise_seed)
    return tf.clip_by_value(image, 0.0, 1.0)
