"""Resample images and masks once, bilinearly, with reflection at the edge."""

from collections.abc import Sequence

import tensorflow as tf


def compose(matrices: Sequence[tf.Tensor], height: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
    """Multiply matrices (N, 3, 3) about the centre, in the order of application, to (N, 8) numbers of `resample`."""
    whole = matrices[0]
    for matrix in matrices[1:]:
        whole = whole @ matrix
    x, y = (width - 1.0) / 2.0, (height - 1.0) / 2.0
    to_centre = tf.stack([[1.0, 0.0, -x], [0.0, 1.0, -y], [0.0, 0.0, 1.0]])
    from_centre = tf.stack([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]])
    flat = tf.reshape(from_centre @ whole @ to_centre, (-1, 9))
    return flat[:, :8] / flat[:, 8:]


def resample(images: tf.Tensor, matrices: tf.Tensor) -> tf.Tensor:
    """Resample (N, H, W, C) with (N, 8) numbers that map output (x, y) in pixels to input, as in TensorFlow."""
    resampled = tf.raw_ops.ImageProjectiveTransformV3(
        images=images, transforms=matrices, output_shape=tf.shape(images)[1:3], fill_value=0.0,
        interpolation="BILINEAR", fill_mode="REFLECT")  # fmt: skip
    resampled.set_shape(images.shape)  # the operation loses it if the batch size is unknown
    return resampled


def move(images: tf.Tensor, masks: tf.Tensor, matrices: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Resample images and masks in the same way; masks of any type are returned as bool."""
    # bytes are read four times as fast as float32; half of 254 is an integer
    return resample(images, matrices), resample(tf.cast(masks, tf.uint8) * 254, matrices) >= 127


def filled(images: tf.Tensor) -> tf.Tensor:
    """Return which channels (N, 1, 1, C) contain an image; the channel of a missing image must stay black."""
    return tf.reduce_max(images, (1, 2), keepdims=True) > 0


def bounded(images: tf.Tensor, there: tf.Tensor) -> tf.Tensor:
    """Clip grey values to [0, 1], and keep black channels black (`there`: `filled` before the change)."""
    images = tf.clip_by_value(images, 0.0, 1.0)
    return images if images.shape[-1] == 1 else images * tf.cast(there, images.dtype)
