import resource

import numpy as np
import pytest
import tensorflow as tf

from tfrespam.data.geometry import crop
from tfrespam.data.geometry.graph_resize import from_frame, resize, to_frame

IMAGES = np.random.default_rng(0).random((2, 37, 53, 1), np.float32)


@pytest.mark.parametrize("size", [(16, 16), (37, 20), (90, 53), (111, 200), (20, 100), (1, 1)])
def test_resize_matches_tensorflows_antialiased_bilinear_resize(size):
    expected = tf.image.resize(IMAGES, size, antialias=True)
    np.testing.assert_allclose(resize(IMAGES, tf.constant(size)), expected, atol=2e-5)


def test_an_image_of_the_right_size_is_unchanged():
    np.testing.assert_array_equal(resize(IMAGES, tf.constant([37, 53])), IMAGES)


def test_shrinking_averages_areas_and_reduces_noise():
    noise = np.random.default_rng(1).normal(0.5, 0.1, (1, 256, 256, 1)).astype(np.float32)
    assert np.std(resize(noise, tf.constant([16, 16]))) < 0.01
    assert np.std(tf.image.resize(noise, (16, 16))) > 0.04


def test_a_constant_image_stays_constant_up_to_its_edges():
    grey = tf.fill([1, 19, 23, 1], 0.25)
    for size in ([50, 50], [7, 5], [224, 3]):
        np.testing.assert_allclose(resize(grey, tf.constant(size)), 0.25, atol=1e-6)


def test_can_be_compiled_by_xla():
    compiled = tf.function(lambda picture: resize(picture, tf.constant([16, 20])), jit_compile=True)
    np.testing.assert_allclose(compiled(tf.constant(IMAGES)), resize(IMAGES, tf.constant([16, 20])), atol=1e-6)


@pytest.mark.parametrize("shape", [(8, 8), (8, 13), (14, 9), (1, 6)])
def test_square_has_the_same_margins_as_the_film_crop(shape):
    picture = np.random.default_rng(2).integers(1, 65535, shape).astype(np.uint16)
    expected = crop.cut(picture, crop.frame_around((0, 0, *shape), 1))
    square = to_frame(tf.constant(picture[None, :, :, None], tf.float32), max(shape))
    np.testing.assert_array_equal(square[0, :, :, 0], expected)
    np.testing.assert_array_equal(from_frame(square, tf.constant(shape))[0, :, :, 0], picture)


@pytest.mark.parametrize("shape", [(37, 53), (53, 37), (20, 21), (4, 90)])
@pytest.mark.parametrize("side", [16, 64])
def test_square_equals_padding_and_resizing(shape, side):
    pictures = np.random.default_rng(3).random((2, *shape, 1), np.float32)
    longest = max(shape)
    before = [(longest - length + 1) // 2 for length in shape]
    margins = [(0, 0), *((b, longest - length - b) for b, length in zip(before, shape, strict=True)), (0, 0)]
    padded = tf.constant(np.pad(pictures, margins))
    square = to_frame(tf.constant(pictures), side)
    np.testing.assert_allclose(square, resize(padded, tf.constant([side, side])), atol=1e-5)
    large = resize(square, tf.constant([longest, longest])).numpy()
    expected = large[:, before[0] : before[0] + shape[0], before[1] : before[1] + shape[1]]
    np.testing.assert_allclose(from_frame(square, tf.constant(shape)), expected, atol=1e-5)


@pytest.mark.parametrize("shape", [(37, 53), (53, 37), (64, 32), (4, 90)])
def test_frame_equals_padding_and_resizing(shape):
    pictures = np.random.default_rng(4).random((2, *shape, 1), np.float32)
    y0, x0, y1, x1 = crop.frame_around((0, 0, *shape), (48, 24))
    padded = tf.constant(np.stack([crop.cut(picture[..., 0], (y0, x0, y1, x1)) for picture in pictures])[..., None])
    framed = to_frame(tf.constant(pictures), (48, 24))
    np.testing.assert_allclose(framed, resize(padded, tf.constant([48, 24])), atol=1e-5)
    large = resize(framed, tf.constant([y1 - y0, x1 - x0])).numpy()
    expected = large[:, -y0 : shape[0] - y0, -x0 : shape[1] - x0]
    np.testing.assert_allclose(from_frame(framed, tf.constant(shape)), expected, atol=1e-5)


def test_padding_is_not_materialised():
    """The padded square of 30,000 x 30,000 pixels would take 3.6 GB."""
    line = tf.ones([1, 1, 30_000, 1])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    square = to_frame(line, 16)
    assert from_frame(square, tf.constant([1, 30_000])).shape == (1, 1, 30_000, 1)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kB
