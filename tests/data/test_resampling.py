import numpy as np
import tensorflow as tf

from tfrespam.data.loading.augment.resampling import bounded, compose, filled, move, resample

SIDE = tf.constant(4.0)
IMAGE = np.arange(16, dtype="float32").reshape(1, 4, 4, 1) / 16
MIRROR = tf.constant([[[-1.0, 0, 0], [0, 1, 0], [0, 0, 1]]])
TURN = tf.constant([[[0.0, -1, 0], [1, 0, 0], [0, 0, 1]]])
RIGHT = tf.constant([[[1.0, 0, -1], [0, 1, 0], [0, 0, 1]]])


def test_transforms_are_composed_about_the_centre_in_order():
    np.testing.assert_allclose(resample(IMAGE, compose([MIRROR], SIDE, SIDE)), IMAGE[:, :, ::-1], atol=1e-6)
    both = resample(IMAGE, compose([MIRROR, TURN], SIDE, SIDE))
    one_by_one = resample(resample(IMAGE, compose([MIRROR], SIDE, SIDE)), compose([TURN], SIDE, SIDE))
    np.testing.assert_allclose(both, one_by_one, atol=1e-6)


def test_pixels_beyond_the_edge_are_reflected():
    moved = np.asarray(resample(IMAGE, compose([RIGHT], SIDE, SIDE)))
    np.testing.assert_allclose(moved[:, :, 1:], IMAGE[:, :, :3], atol=1e-6)
    np.testing.assert_allclose(moved[:, :, 0], IMAGE[:, :, 0], atol=1e-6)


def test_masks_move_with_the_images():
    masks = IMAGE > 0.5
    images, moved = move(IMAGE, masks, compose([TURN], SIDE, SIDE))
    np.testing.assert_array_equal(np.asarray(images) > 0.5, moved)
    assert moved.dtype == tf.bool


def test_black_channels_stay_black_and_greys_stay_within_0_and_1():
    images = tf.concat([IMAGE, tf.zeros_like(IMAGE)], -1)
    there = filled(images)
    np.testing.assert_array_equal(np.asarray(there)[0, 0, 0], [True, False])
    found = np.asarray(bounded(images * 2 + 0.1, there))
    assert found.max() == 1 and not found[..., 1].any()
