"""Recropping: cut the training crops anew in each epoch, around a lesion rotated by any angle.

Rotating a finished crop leaves empty corners, and the mass is no longer 1/context of it. Here crops are cut from wider
ones, and the crop policy holds after the rotation: the longest side of the mass's box is 1/context of the crop, and the
crop is shifted by at most half of the margin. Context, shape and centre can be drawn for each crop, so that a network
learns to segment a mass in any kind of crop.
"""

from typing import NamedTuple

import tensorflow as tf

from tfrespam.config import AugmentConfig
from tfrespam.data.loading.augment import random_numbers
from tfrespam.data.loading.augment.joint import JointDraw

ZOOM = 0.75, 1.33  # beyond these the box contains several masses, or only a piece of one
THINNEST = 0.25  # lowest ratio of the box's sides for crops in the box's shape
_SEED = [0, 1 << 21]  # offset of the joint draw, independent of its other numbers of the same seed


class Pose(NamedTuple):
    """Position of a mass in its new crop, the drawn numbers for `cut`; each (N,) float32 (see `JointDraw`)."""

    angle: tf.Tensor
    zoom: tf.Tensor
    down: tf.Tensor
    right: tf.Tensor
    flip_x: tf.Tensor
    flip_y: tf.Tensor


class Crop(NamedTuple):
    """Size and shape of each crop relative to its mass; every field is (N,) float32."""

    context: tf.Tensor  # side of a square crop over the mass's longest box side
    boxed: tf.Tensor  # 0: square; 1: the mass's box with the same margin on all sides; or between the two
    beyond: tf.Tensor  # share of the side by which the shift may exceed the policy's


def pose(drawn: dict[str, tf.Tensor], seeds: tf.Tensor) -> Pose:
    """Gather the pose from the built-in transforms of `Augment.draw`; the shift has a separate stream.

    Args:
        drawn: Drawn numbers by name of the transform.
        seeds: (N, 2) integers from which they were drawn.
    """
    down, right = tf.unstack(random_numbers.uniform(seeds, {"recrop_shift": 2})["recrop_shift"], axis=1)
    still, as_is = tf.zeros_like(down), tf.ones_like(down)
    angle = drawn.get("rotation", still)
    if "quarterturn" in drawn:
        angle += tf.cast(drawn["quarterturn"], tf.float32) * (3.14159265358979 / 2)
    flip_x, flip_y = tf.unstack(drawn["flip"], axis=1) if "flip" in drawn else (as_is, as_is)
    return Pose(angle, drawn.get("zoom", as_is), down, right, flip_x, flip_y)


def draw(config: AugmentConfig, seeds: tf.Tensor, context: float) -> Crop:
    """Draw crops for `seeds`, (N, 2) integers; `context` applies if none is drawn."""
    first, second = tf.unstack(_uniform(config, seeds), axis=1)
    if config.context_range:
        low, high = config.context_range
        context = low * tf.pow(high / low, first)
    boxed = {"square": 0.0, "box": 1.0, "any": second}[config.crop_shape]
    return Crop(*(tf.broadcast_to(tf.cast(value, tf.float32), tf.shape(first))
                  for value in (context, boxed, config.off_centre)))  # fmt: skip


def _uniform(config: AugmentConfig, seeds: tf.Tensor) -> tf.Tensor:
    """Draw (N, 2) numbers in [0, 1)."""
    if config.draw == "separate":
        return (random_numbers.uniform(seeds, {"recrop": 2})["recrop"] + 1.0) / 2.0
    seeds = tf.cast(seeds, tf.int32) + _SEED
    return tf.map_fn(lambda seed: tf.random.stateless_uniform([2], seed), seeds, fn_output_signature=tf.float32)


def cut(transforms: Pose | JointDraw, crops: Crop, images: tf.Tensor, masks: tf.Tensor, context: float,
        factor: float, *, as_recorded: bool = False) -> tuple[tf.Tensor, tf.Tensor]:  # fmt: skip
    """Cut a crop out of each image; the mask is made binary again.

    Args:
        transforms: Fields (N,): angle, mirroring, `zoom` (multiplies the crop's scale), and `down` and `right`, the
            mass's shift in the crop as a share, in [-1, 1], of the largest one.
        crops: Fields (N,).
        images, masks: (N, S, S, 1), float32 and any type, crops of the policy at `context`.
        context: The context of the stored crops.
        factor: Size of the stored crops over that of the new ones, in pixels.
        as_recorded: Whether to use the arithmetic of earlier runs, in which context, centre and shape were fixed;
            `crops` is then ignored. Results differ only by rounding.

    Returns:
        (N, S / factor, S / factor, 1) each, float32.
    """
    size = round(images.shape[1] / factor)
    there = masks[..., 0] > 0
    if as_recorded:
        matrices = _recorded_matrices(transforms, there, size, context / factor)
    else:
        matrices = _matrices(transforms, crops, there, size, images.shape[1] / context)
    bytes_ = tf.cast(masks > 0, tf.uint8) * 254  # as in augment.resampling.move
    image, mask = (tf.raw_ops.ImageProjectiveTransformV3(
        images=source, transforms=matrices, output_shape=[size, size], fill_value=0.0, interpolation="BILINEAR",
        fill_mode=mode) for source, mode in ((images, "REFLECT"), (bytes_, "CONSTANT")))  # fmt: skip
    return image, tf.cast(mask >= 127, tf.float32)


def _matrices(transforms: Pose | JointDraw, crops: Crop, masks: tf.Tensor, size: int, longest: float) -> tf.Tensor:
    """Compute (N, 8) numbers that map (x, y) of the crop to (x, y) of the stored one.

    `longest` is the longest box side of a mass in the stored crops, in pixels.
    """
    cos, sin = tf.cos(transforms.angle), tf.sin(transforms.angle)
    a, b = cos * transforms.flip_x, -sin * transforms.flip_y
    c, d = sin * transforms.flip_x, cos * transforms.flip_y
    box_x, box_y = _turned_box(masks, (a, c), (b, d), longest)
    turned = tf.maximum(_span(box_x), _span(box_y))
    turned = longest / tf.clip_by_value(longest / turned, *ZOOM)
    per_x, x = _along(box_x, turned, transforms.right, transforms.zoom, crops)
    per_y, y = _along(box_y, turned, transforms.down, transforms.zoom, crops)
    per_x, per_y = per_x / size, per_y / size
    middle, half = (masks.shape[1] - 1) / 2, (size - 1) / 2
    to_x = middle + a * (x - per_x * half) + b * (y - per_y * half)
    to_y = middle + c * (x - per_x * half) + d * (y - per_y * half)
    zero = tf.zeros_like(a)
    return tf.stack([a * per_x, b * per_y, to_x, c * per_x, d * per_y, to_y, zero, zero], -1)


def _recorded_matrices(transforms: Pose | JointDraw, masks: tf.Tensor, size: int, context: float) -> tf.Tensor:
    """Compute `_matrices` for square crops of one context, bit for bit as in the first runs with recropping."""
    cos, sin = tf.cos(transforms.angle), tf.sin(transforms.angle)
    a, b = cos * transforms.flip_x, -sin * transforms.flip_y
    c, d = sin * transforms.flip_x, cos * transforms.flip_y
    (left, right), (top, bottom) = _turned_box(masks, (a, c), (b, d), size / context)
    longest = tf.maximum(right - left, bottom - top) + 1.0
    zoom = tf.clip_by_value(size / context / longest, *ZOOM) * transforms.zoom
    reach = (size - size / context) / 4  # as in crop.roi_box
    x = (left + right) / 2 - transforms.right * reach / zoom
    y = (top + bottom) / 2 - transforms.down * reach / zoom
    middle, half = (masks.shape[1] - 1) / 2, (size - 1) / 2
    to_x = middle + a * x + b * y - (a + b) * half / zoom
    to_y = middle + c * x + d * y - (c + d) * half / zoom
    zero = tf.zeros_like(a)
    return tf.stack([a / zoom, b / zoom, to_x, c / zoom, d / zoom, to_y, zero, zero], -1)


def _span(box: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
    return box[1] - box[0] + 1.0


def _along(box: tuple[tf.Tensor, tf.Tensor], longest: tf.Tensor, shift: tf.Tensor, zoom: tf.Tensor,
           crop: Crop) -> tuple[tf.Tensor, tf.Tensor]:  # fmt: skip
    """Compute side and centre of the crop along one axis, in stored pixels, (N,) each."""
    ratio = tf.clip_by_value(_span(box) / longest, THINNEST, 1.0)
    margin = (crop.context - 1.0) * longest / zoom
    side = longest * tf.pow(ratio, crop.boxed) / zoom + margin
    reach = margin / 4 + crop.beyond * side  # the first term as in crop.roi_box
    return side, (box[0] + box[1]) / 2 - shift * reach


def _turned_box(masks: tf.Tensor, to_x: tuple, to_y: tuple, longest: float) -> tuple[tuple, tuple]:
    """Compute first and last x and y, each (N,), of the mass after rotation; 0, the centre, for an empty mask.

    Pixels outside the central window in which the crop policy places a box of side `longest` are ignored.
    """
    side = masks.shape[1]
    line = tf.range(side, dtype=tf.float32) - (side - 1) / 2
    near = tf.abs(line) <= longest / 2 + (side - longest) / 4 + 1
    masks = masks & near[:, None] & near[None, :]
    some = tf.reduce_any(masks, (1, 2))

    def ends(along: tuple) -> tuple[tf.Tensor, tf.Tensor]:
        place = along[0][:, None, None] * line[None, None, :] + along[1][:, None, None] * line[None, :, None]
        low = tf.reduce_min(tf.where(masks, place, float(side)), (1, 2))
        high = tf.reduce_max(tf.where(masks, place, -float(side)), (1, 2))
        return tf.where(some, low, 0.0), tf.where(some, high, 0.0)

    return ends(to_x), ends(to_y)
