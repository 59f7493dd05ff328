"""Augmentation of earlier releases, which draws one vector of eight numbers an image for all transforms.

It is kept bit for bit, so that recorded runs and the copies of the paper's protocol can be reproduced
(`augment.draw: joint`).
"""

from typing import NamedTuple

import tensorflow as tf

from tfrespam.config import AugmentConfig
from tfrespam.data.loading.augment.intensity import change_contrast, change_gamma, normal_noise
from tfrespam.data.loading.augment.resampling import bounded, filled, move


class JointDraw(NamedTuple):
    """Drawn change of one image; every field is a float32 scalar tensor, or (N,) for a batch."""

    angle: tf.Tensor  # radians, counter-clockwise
    zoom: tf.Tensor  # above 1 enlarges
    down: tf.Tensor  # share of the side, or of the largest shift with recropping
    right: tf.Tensor
    flip_x: tf.Tensor  # 1 or -1
    flip_y: tf.Tensor
    gamma: tf.Tensor
    contrast: tf.Tensor
    noise_seed: tf.Tensor  # int32 [2]


_FIELDS = JointDraw._make([tf.TensorSpec([])] * 8 + [tf.TensorSpec([2], tf.int32)])


def draw(config: AugmentConfig, seed: tf.Tensor) -> JointDraw:
    """Draw the change of one image from `seed`, an int [2] tensor."""
    seed = tf.cast(seed, tf.int32)
    u = tf.random.stateless_uniform([8], seed, -1.0, 1.0)
    coin = tf.where(tf.random.stateless_uniform([2], seed + [0, 1 << 20], -1.0, 1.0) < 0, -1.0, 1.0)
    turns = tf.floor(u[7] * 2.0) if config.quarter_turns else 0.0
    shift = 1.0 if config.recrop else config.shift
    return JointDraw(
        angle=u[0] * config.rotation_degrees * (3.14159265358979 / 180) + turns * (3.14159265358979 / 2),
        zoom=tf.pow(1.0 + config.scale, u[1]),
        down=u[2] * shift,
        right=u[3] * shift,
        flip_x=coin[0] if config.flips else tf.constant(1.0),
        flip_y=coin[1] if config.flips else tf.constant(1.0),
        gamma=tf.pow(1.0 + config.gamma, u[4]),
        contrast=1.0 + u[5] * config.contrast,
        noise_seed=seed + [1 << 20, 0],
    )


def matrix(drawn: JointDraw, shape: tf.Tensor) -> tf.Tensor:
    """Compute the (N, 8) numbers of `resample` for a batch of `shape`: rotate, zoom, flip, shift about the centre."""
    height, width = tf.cast(shape[1], tf.float32), tf.cast(shape[2], tf.float32)
    cx, cy = (width - 1) / 2, (height - 1) / 2
    cos, sin = tf.cos(drawn.angle) / drawn.zoom, tf.sin(drawn.angle) / drawn.zoom
    a, b = cos * drawn.flip_x, -sin * drawn.flip_y
    c, d = sin * drawn.flip_x, cos * drawn.flip_y
    tx, ty = cx + drawn.right * width, cy + drawn.down * height
    zero = tf.zeros_like(a)
    return tf.stack([a, b, cx - a * tx - b * ty, c, d, cy - c * tx - d * ty, zero, zero], -1)


class JointAugment:
    """`Augment` with the joint draw: the same methods, with the random numbers of earlier releases.

    Args:
        config: Settings; `extra` is not supported.
    """

    def __init__(self, config: AugmentConfig):
        self.config = config
        self.moves = bool(config.rotation_degrees or config.flips or config.quarter_turns or config.scale
                          or config.shift)  # fmt: skip
        self.regrades = bool(config.gamma or config.contrast)

    def __call__(self, images: tf.Tensor, masks: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Change (N, H, W, C) images and (N, H, W, 1) masks by (N, 2) integer seeds."""
        return self.apply(self.draw(seed), images, masks)

    def draw(self, seeds: tf.Tensor) -> JointDraw:
        """Draw for (N, 2) integer seeds; every field is (N,)."""
        return tf.map_fn(lambda seed: draw(self.config, seed), seeds, fn_output_signature=_FIELDS)

    def apply(self, drawn: JointDraw, images: tf.Tensor, masks: tf.Tensor, *,
              geometry: bool = True) -> tuple[tf.Tensor, tf.Tensor]:  # fmt: skip
        """Apply the numbers of `draw`; with `geometry` False, only grey values change."""
        there = filled(images)
        if geometry and self.moves:
            images, masks = move(images, masks, matrix(drawn, tf.shape(images)))
        if self.regrades:
            images = change_contrast(change_gamma(images, drawn.gamma), drawn.contrast)
        if self.config.noise:
            images += self.config.noise * normal_noise(tf.shape(images), drawn.noise_seed)
        return bounded(images, there), tf.cast(masks, tf.float32)
