"""Augmentation on the device with Keras operations, equal to `data.loading.augment`, which runs in tf.data.

Random numbers are drawn on the host (`draw`); images are transformed on the device (`apply`, `recrop`). For the same
numbers both implementations give the same images, except for rounding.
"""

import math

import numpy as np
from keras import ops

from tfrespam.config import AugmentConfig

ZOOM, THINNEST = (0.75, 1.33), 0.25  # as data.loading.recrop


def draw(config: AugmentConfig, random: np.random.Generator, count: int, context: float,
         square: bool = True) -> np.ndarray:  # fmt: skip
    """Draw transforms with the distribution of `augment.joint.draw` and `recrop.draw`.

    Args:
        config: Settings of the augmentation.
        random: Source of the random numbers.
        count: Number of transforms, N.
        context: Context of recropped images if `config` has no range from which it is drawn.
        square: Whether the images are square; others are rotated only by 180 degrees, so that nothing is cut off.

    Returns:
        (N, 11) float32: `packed.FIELDS`, then context, boxed and beyond of `recrop.Crop`.
    """
    u = random.uniform(-1, 1, (8, count))
    coins = np.where(random.random((2, count)) < 0.5, -1.0, 1.0) if config.flips else np.ones((2, count))
    turns = (np.floor(2 * u[7]) if square else 2 * np.floor(u[7])) if config.quarter_turns else 0.0
    shift = 1.0 if config.recrop else config.shift
    angle = u[0] * config.rotation_degrees * math.pi / 180 + turns * math.pi / 2
    v = random.random((2, count))
    if config.context_range:
        low, high = config.context_range
        context = low * (high / low) ** v[0]
    boxed = {"square": 0.0, "box": 1.0, "any": v[1]}[config.crop_shape]
    fields = (angle, (1 + config.scale) ** u[1], u[2] * shift, u[3] * shift, *coins, (1 + config.gamma) ** u[4],
              1 + u[5] * config.contrast, context, boxed, config.off_centre)  # fmt: skip
    return np.stack(np.broadcast_arrays(*fields), 1).astype(np.float32)


def apply(images, masks, transforms):
    """Transform each image: geometry, with reflection at the edge, then gamma and contrast.

    Args:
        images: (N, H, W, 1) float32 in [0, 1].
        masks: (N, H, W, 1) float32 {0, 1}.
        transforms: (N, 8 or more), `packed.FIELDS` first.

    Returns:
        Images and masks of the same shapes; the masks are made binary again.
    """
    matrices = _about_centre(transforms, *images.shape[1:3])
    images = _resample(images, matrices, "reflect")
    masks = ops.cast(_resample(masks, matrices, "reflect") >= 0.5, "float32")
    return _change_grey_values(images, transforms), masks


def recrop(images, masks, transforms, context: float, factor: float):
    """Rotate each wider image, cut a crop out of it as `data.loading.recrop.cut` does, then change grey values.

    Args:
        images, masks: (N, S, S, 1) float32, crops around one lesion each.
        transforms: (N, 11), from `draw`.
        context: Context of the stored crops: their side over the longest side of the mass's box.
        factor: Side of the stored crops over that of the new ones, in pixels.

    Returns:
        Images and masks (N, S / factor, S / factor, 1).
    """
    size = round(images.shape[1] / factor)
    matrices = _crop_matrices(transforms, masks[..., 0] > 0, size, images.shape[1] / context)
    images = _resample(images, matrices, "reflect")[:, :size, :size]
    masks = ops.cast(_resample(masks, matrices, "constant")[:, :size, :size] >= 0.5, "float32")
    return _change_grey_values(images, transforms), masks


def _resample(images, matrices, fill: str):
    """Sample bilinearly; `matrices` (N, 8) map (x, y) of the output to (x, y) of the input, which has the same size."""
    return ops.image.affine_transform(images, matrices, "bilinear", fill, 0.0, data_format="channels_last")


def _rotation(transforms):
    """Compute the four numbers, each (N,), of the matrices of rotation and mirroring."""
    angle, flip_x, flip_y = transforms[:, 0], transforms[:, 4], transforms[:, 5]
    cos, sin = ops.cos(angle), ops.sin(angle)
    return cos * flip_x, -sin * flip_y, sin * flip_x, cos * flip_y


def _rows(a, b, x, c, d, y):
    zero = ops.zeros_like(a)
    return ops.stack([a, b, x, c, d, y, zero, zero], -1)


def _about_centre(transforms, height: int, width: int):
    """Compute the (N, 8) numbers of `augment.joint.matrix`."""
    a, b, c, d = (each / transforms[:, 1] for each in _rotation(transforms))
    middle_x, middle_y = (width - 1) / 2, (height - 1) / 2
    x, y = middle_x + transforms[:, 3] * width, middle_y + transforms[:, 2] * height
    return _rows(a, b, middle_x - a * x - b * y, c, d, middle_y - c * x - d * y)


def _crop_matrices(transforms, masks, size: int, longest: float):
    """Compute (N, 8) numbers as `data.loading.recrop` does.

    `longest` is the longest box side of a mass in the stored crops, in pixels.
    """
    a, b, c, d = _rotation(transforms)
    box_x, box_y = _turned_box(masks, (a, c), (b, d), longest)
    turned = ops.maximum(_span(box_x), _span(box_y))
    turned = longest / ops.clip(longest / turned, *ZOOM)
    per_x, x = _along(box_x, turned, transforms[:, 3], transforms)
    per_y, y = _along(box_y, turned, transforms[:, 2], transforms)
    per_x, per_y = per_x / size, per_y / size
    middle, half = (masks.shape[1] - 1) / 2, (size - 1) / 2
    to_x = middle + a * (x - per_x * half) + b * (y - per_y * half)
    to_y = middle + c * (x - per_x * half) + d * (y - per_y * half)
    return _rows(a * per_x, b * per_y, to_x, c * per_x, d * per_y, to_y)


def _span(box: tuple):
    return box[1] - box[0] + 1.0


def _along(box: tuple, longest, shift, transforms) -> tuple:
    """Compute side and centre of the crop along one axis, in stored pixels, (N,) each."""
    zoom, context, boxed, beyond = transforms[:, 1], transforms[:, 8], transforms[:, 9], transforms[:, 10]
    ratio = ops.clip(_span(box) / longest, THINNEST, 1.0)
    margin = (context - 1.0) * longest / zoom
    side = longest * ops.power(ratio, boxed) / zoom + margin
    return side, (box[0] + box[1]) / 2 - shift * (margin / 4 + beyond * side)


def _turned_box(masks, to_x: tuple, to_y: tuple, longest: float) -> tuple[tuple, tuple]:
    """Compute first and last x and y, each (N,), of the mass after rotation; 0 if a mask is empty."""
    side = masks.shape[1]
    line = np.arange(side, dtype=np.float32) - (side - 1) / 2
    near = np.abs(line) <= longest / 2 + (side - longest) / 4 + 1
    masks = ops.logical_and(masks, near[:, None] & near[None, :])
    some = ops.any(masks, (1, 2))

    def ends(along: tuple) -> tuple:
        place = along[0][:, None, None] * line[None, None, :] + along[1][:, None, None] * line[None, :, None]
        low = ops.min(ops.where(masks, place, float(side)), (1, 2))
        high = ops.max(ops.where(masks, place, -float(side)), (1, 2))
        return ops.where(some, low, 0.0), ops.where(some, high, 0.0)

    return ends(to_x), ends(to_y)


def _change_grey_values(images, transforms):
    """Apply gamma, then contrast about each image's mean."""
    gamma, contrast = transforms[:, 6][:, None, None, None], transforms[:, 7][:, None, None, None]
    images = ops.power(ops.clip(images, 0.0, 1.0), gamma)
    means = ops.mean(images, (1, 2), keepdims=True)
    return ops.clip(means + (images - means) * contrast, 0.0, 1.0)
