"""Training crops cut anew in each epoch: the crop policy applied to a lesion that has been turned by any angle.

Turning a finished crop leaves corners to invent and a mass that is no longer 1/context of it. Here the picture comes
from a crop that reaches farther, and after the turn the policy is kept to the letter: the mass's longest box side is
1/context of the crop, and the crop is shifted by at most half of the margin.
"""

import tensorflow as tf

from tfrespam.data.augment import Transform

ZOOM = 0.75, 1.33  # beyond them the box holds other masses too, or but a part of one


def cut(transforms: Transform, images: tf.Tensor, masks: tf.Tensor, context: float,
        factor: float) -> tuple[tf.Tensor, tf.Tensor]:  # fmt: skip
    """Cuts a crop out of each picture; the mask is made binary again.

    Args:
        transforms: Fields (N,): angle and mirroring as they are, `zoom` on top of the policy's, `down` and `right` the
            policy's jitter in [-1, 1].
        images, masks: (N, S, S, 1), float32 and any type, crops of the policy at `factor` times `context`.
        context: The context of the crops to be cut.
        factor: How much farther the stored ones reach.

    Returns:
        (N, S / factor, S / factor, 1) each.
    """
    size = round(images.shape[1] / factor)
    matrices = _matrices(transforms, masks[..., 0] > 0, size, context)
    bytes_ = tf.cast(masks > 0, tf.uint8) * 254  # as in augment.apply_batch
    image, mask = (tf.raw_ops.ImageProjectiveTransformV3(
        images=pictures, transforms=matrices, output_shape=[size, size], fill_value=0.0, interpolation="BILINEAR",
        fill_mode=mode) for pictures, mode in ((images, "REFLECT"), (bytes_, "CONSTANT")))  # fmt: skip
    return image, tf.cast(mask >= 127, tf.float32)


def _matrices(transforms: Transform, masks: tf.Tensor, size: int, context: float) -> tf.Tensor:
    """(N, 8) numbers that take (x, y) of the crop to (x, y) of the stored one; both count from their centres within."""
    stored = masks.shape[1]
    cos, sin = tf.cos(transforms.angle), tf.sin(transforms.angle)
    a, b = cos * transforms.flip_x, -sin * transforms.flip_y
    c, d = sin * transforms.flip_x, cos * transforms.flip_y
    (left, right), (top, bottom) = _turned_box(masks, (a, c), (b, d), size / context)
    longest = tf.maximum(right - left, bottom - top) + 1.0
    zoom = tf.clip_by_value(size / context / longest, *ZOOM) * transforms.zoom
    reach = (size - size / context) / 4  # as in crop.roi_box
    x = (left + right) / 2 - transforms.right * reach / zoom
    y = (top + bottom) / 2 - transforms.down * reach / zoom
    middle, half = (stored - 1) / 2, (size - 1) / 2
    to_x = middle + a * x + b * y - (a + b) * half / zoom
    to_y = middle + c * x + d * y - (c + d) * half / zoom
    zero = tf.zeros_like(a)
    return tf.stack([a / zoom, b / zoom, to_x, c / zoom, d / zoom, to_y, zero, zero], -1)


def _turned_box(masks: tf.Tensor, to_x: tuple, to_y: tuple, longest: float) -> tuple[tuple, tuple]:
    """First and last x and y, each (N,), of the mass after the turn; the middle pixel where a mask is empty.

    Of several masses the one that the crop was made for: its box is `longest`, shifted by the policy's reach at most.
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
