import numpy as np
import pytest
import tensorflow as tf

from tfrespam.data import crop
from tfrespam.serving.resize import from_square, resize, to_square

PICTURES = np.random.default_rng(0).random((2, 37, 53, 1), np.float32)


@pytest.mark.parametrize("size", [(16, 16), (37, 20), (90, 53), (111, 200), (20, 100), (1, 1)])
def test_is_tensorflows_antialiased_bilinear_resize(size):
    expected = tf.image.resize(PICTURES, size, antialias=True)
    np.testing.assert_allclose(resize(PICTURES, tf.constant(size)), expected, atol=2e-5)


def test_leaves_the_right_size_as_it_is():
    np.testing.assert_array_equal(resize(PICTURES, tf.constant([37, 53])), PICTURES)


def test_averages_areas_when_shrinking_where_single_pixels_would_keep_the_noise():
    noise = np.random.default_rng(1).normal(0.5, 0.1, (1, 256, 256, 1)).astype(np.float32)
    assert np.std(resize(noise, tf.constant([16, 16]))) < 0.01
    assert np.std(tf.image.resize(noise, (16, 16))) > 0.04


def test_keeps_a_constant_picture_constant_up_to_its_edges():
    grey = tf.fill([1, 19, 23, 1], 0.25)
    for size in ([50, 50], [7, 5], [224, 3]):
        np.testing.assert_allclose(resize(grey, tf.constant(size)), 0.25, atol=1e-6)


def test_can_be_compiled_by_xla():
    compiled = tf.function(lambda picture: resize(picture, tf.constant([16, 20])), jit_compile=True)
    np.testing.assert_allclose(compiled(tf.constant(PICTURES)), resize(PICTURES, tf.constant([16, 20])), atol=1e-6)


@pytest.mark.parametrize("shape", [(8, 8), (8, 13), (14, 9), (1, 6)])
def test_square_has_the_margins_of_the_film_crop(shape):
    picture = np.random.default_rng(2).integers(1, 65535, shape).astype(np.uint16)
    expected = crop.cut(picture, crop.square_around((0, 0, *shape)), reflect=False)
    square = to_square(tf.constant(picture[None, :, :, None], tf.float32))
    np.testing.assert_array_equal(square[0, :, :, 0], expected)
    np.testing.assert_array_equal(from_square(square, tf.constant(shape))[0, :, :, 0], picture)
