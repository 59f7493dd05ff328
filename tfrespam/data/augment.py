"""Random changes of training pictures: drawing the numbers is one step, applying them another, so both can be replayed.

`draw` is stateless: the same seed gives the same transform on every machine, in any order of calls.
"""

from typing import NamedTuple

import tensorflow as tf

from tfrespam.config import AugmentConfig


class Transform(NamedTuple):
    """One drawn change of one picture; every field is a float32 scalar tensor. For a batch, each is (N,)."""

    angle: tf.Tensor  # radians, counter-clockwise
    zoom: tf.Tensor  # above 1 enlarges
    down: tf.Tensor  # share of the side, or of the crop policy's reach where crops are cut anew
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
    shift = 1.0 if config.recrop else config.shift
    return Transform(
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


def moves(config: AugmentConfig) -> bool:
    """Whether any transform that `draw` gives moves pixels."""
    return bool(config.rotation_degrees or config.flips or config.quarter_turns or config.scale or config.shift)


def regrades(config: AugmentConfig) -> bool:
    """Whether any transform that `draw` gives changes grey values, noise aside."""
    return bool(config.gamma or config.contrast)


def apply(transform: Transform, image: tf.Tensor, mask: tf.Tensor, noise: float = 0.0) -> tuple[tf.Tensor, tf.Tensor]:
    """Applies one transform to `image` (H, W, 1) float32 in [0, 1] and `mask` (H, W, 1) of {0, 1}, float32 both.

    Geometry moves image and mask by the same bilinear resampling, reflected at the edge; the mask is made binary again.
    """
    batch = Transform(*(value[tf.newaxis] for value in transform))
    images, masks = apply_batch(batch, image[tf.newaxis], mask[tf.newaxis], noise=noise)
    return images[0], masks[0]


def apply_batch(transforms: Transform, images: tf.Tensor, masks: tf.Tensor, *, noise: float = 0.0,
                moves: bool = True, regrades: bool = True) -> tuple[tf.Tensor, tf.Tensor]:  # fmt: skip
    """`apply` for (N, H, W, 1) each with its own transform, at once: a call for each costs more than its arithmetic.

    Masks may be of any type.

    Further channels are pictures of their own, turned and changed alike; one that is black, for want of a picture,
    stays black. `moves` and `regrades` False leave out geometry and grey values, where all transforms leave them as
    they are.
    """
    there = tf.reduce_max(images, (1, 2), keepdims=True) > 0  # (N, 1, 1, C)
    if moves:
        matrices = matrix(transforms, tf.shape(images))
        images = resample(images, matrices)
        # as bytes a mask is read four times as fast; an even maximum has its half among the whole numbers
        masks = resample(tf.cast(masks, tf.uint8) * 254, matrices) >= 127
    if regrades:
        images = _regrade(transforms, images)
    if noise:
        images += noise * _normal(tf.shape(images), transforms.noise_seed)
    images = tf.clip_by_value(images, 0.0, 1.0)
    if images.shape[-1] != 1:
        images *= tf.cast(there, images.dtype)
    return images, tf.cast(masks, tf.float32)


def matrix(transform: Transform, shape: tf.Tensor) -> tf.Tensor:
    """(N, 8) numbers of ImageProjectiveTransformV3 that take output (x, y) to input, about the picture's centre."""
    height, width = tf.cast(shape[1], tf.float32), tf.cast(shape[2], tf.float32)
    cx, cy = (width - 1) / 2, (height - 1) / 2
    cos, sin = tf.cos(transform.angle) / transform.zoom, tf.sin(transform.angle) / transform.zoom
    a, b = cos * transform.flip_x, -sin * transform.flip_y
    c, d = sin * transform.flip_x, cos * transform.flip_y
    tx, ty = cx + transform.right * width, cy + transform.down * height
    zero = tf.zeros_like(a)
    return tf.stack([a, b, cx - a * tx - b * ty, c, d, cy - c * tx - d * ty, zero, zero], -1)


def resample(pictures: tf.Tensor, matrices: tf.Tensor) -> tf.Tensor:
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=pictures, transforms=matrices, output_shape=tf.shape(pictures)[1:3], fill_value=0.0,
        interpolation="BILINEAR", fill_mode="REFLECT")  # fmt: skip


def _regrade(transforms: Transform, images: tf.Tensor) -> tf.Tensor:
    """Gamma, then contrast about each picture's mean; identity values change nothing."""
    gamma, contrast = (value[:, None, None, None] for value in (transforms.gamma, transforms.contrast))
    images = tf.pow(tf.clip_by_value(images, 0.0, 1.0), gamma)
    means = tf.reduce_mean(images, (1, 2), keepdims=True)
    return means + (images - means) * contrast


def _normal(shape: tf.Tensor, seeds: tf.Tensor) -> tf.Tensor:
    """Normal numbers of `shape` (N, H, W, C), each example's from its own seed (N, 2)."""
    one = tf.TensorSpec([None, None, None], tf.float32)
    return tf.map_fn(lambda seed: tf.random.stateless_normal(shape[1:], seed), seeds, fn_output_signature=one)
