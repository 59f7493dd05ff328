"""Each geometric transform against NumPy, SciPy and OpenCV, on square and rectangular images."""

import cv2
import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage

from tfrespam.data.loading.augment import geometry
from tfrespam.data.loading.augment.resampling import compose, move

SHAPES = [(48, 48), (33, 47), (64, 40)]


def pictures(shape):
    rng = np.random.default_rng(3)
    noise = ndimage.gaussian_filter(rng.normal(size=shape), 4, mode="reflect")
    y, x = np.mgrid[: shape[0], : shape[1]]
    mask = ((y - shape[0] / 3) / 9) ** 2 + ((x - shape[1] / 2) / 5) ** 2 < 1
    return ((noise - noise.min()) / np.ptp(noise)).astype(np.float32), mask


def moved(shape, *changes):
    """Return image and mask after applying (transform, drawn) pairs in order."""
    height, width = map(float, shape)
    matrices = [each.matrix(tf.constant([drawn]), height, width) for each, drawn in changes]
    image, mask = (each[None, ..., None] for each in pictures(shape))
    image, mask = move(tf.constant(image), tf.constant(mask), compose(matrices, height, width))
    return image.numpy()[0, ..., 0], mask.numpy()[0, ..., 0]


@pytest.mark.parametrize(("drawn", "axes"), [([-1.0, 1.0], 1), ([1.0, -1.0], 0), ([-1.0, -1.0], (0, 1))])
@pytest.mark.parametrize("shape", SHAPES)
def test_flips_are_exact(shape, drawn, axes):
    image, mask = moved(shape, (geometry.Flip(), drawn))
    expected = pictures(shape)
    np.testing.assert_allclose(image, np.flip(expected[0], axes), rtol=0, atol=2e-6)
    np.testing.assert_array_equal(mask, np.flip(expected[1], axes))


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_quarter_turns_are_exact_and_counterclockwise(turns):
    image, mask = moved((48, 48), (geometry.QuarterTurn(), turns))
    expected = pictures((48, 48))
    np.testing.assert_allclose(image, np.rot90(expected[0], turns), rtol=0, atol=2e-6)
    np.testing.assert_array_equal(mask, np.rot90(expected[1], turns))


@pytest.mark.parametrize(("turns", "halves"), [(0, 0), (1, 0), (2, 2), (3, 2)])
def test_rectangular_images_are_rotated_by_half_turns_only(turns, halves):
    image, _ = moved((33, 47), (geometry.QuarterTurn(), turns))
    np.testing.assert_allclose(image, np.rot90(pictures((33, 47))[0], halves), rtol=0, atol=2e-6)


@pytest.mark.parametrize("degrees", [-10.0, 7.0, 30.0])
@pytest.mark.parametrize("shape", SHAPES)
def test_rotation_matches_scipy(shape, degrees):
    image, mask = moved(shape, (geometry.Rotation(90), float(np.deg2rad(degrees))))
    expected = pictures(shape)
    turned = ndimage.rotate(expected[0], degrees, reshape=False, order=1, mode="reflect")
    np.testing.assert_allclose(image, turned, rtol=0, atol=2e-5)
    turned = ndimage.rotate(expected[1].astype(float), degrees, reshape=False, order=1, mode="reflect") >= 0.5
    assert (mask != turned).mean() < 2e-3


@pytest.mark.parametrize("shape", SHAPES)
def test_a_composition_is_one_resampling_with_the_product_of_opencv_matrices(shape):
    """Rotation, zoom, flip and shift, in the order in which points are moved."""
    changes = [(geometry.Rotation(90), 0.3), (geometry.Zoom(0.5), 1.2), (geometry.Flip(), [-1.0, 1.0]),
               (geometry.Shift(0.2), [0.08, -0.05])]  # fmt: skip
    image, mask = moved(shape, *changes)
    centre = (shape[1] - 1) / 2, (shape[0] - 1) / 2
    turn = np.vstack([cv2.getRotationMatrix2D(centre, np.rad2deg(0.3), 1.2), [0, 0, 1]])
    flip = np.array([[-1, 0, 2 * centre[0]], [0, 1, 0], [0, 0, 1]])
    shift = np.array([[1, 0, -0.05 * shape[1]], [0, 1, 0.08 * shape[0]], [0, 0, 1]])
    y, x = np.mgrid[: shape[0], : shape[1]]
    source = np.linalg.inv(shift @ flip @ turn) @ np.stack([x.ravel(), y.ravel(), np.ones(x.size)])
    expected, expected_mask = (ndimage.map_coordinates(each.astype(float), source[1::-1], order=1, mode="reflect")
                               .reshape(shape) for each in pictures(shape))  # fmt: skip
    np.testing.assert_allclose(image, expected, rtol=0, atol=1e-4)
    assert (mask != (expected_mask >= 0.5)).mean() < 2e-3


def test_draws_cover_their_range():
    numbers = tf.constant(np.random.default_rng(0).uniform(-1, 1, (2000, 2)), tf.float32)
    bounds = {geometry.Rotation(30): (-np.pi / 6, np.pi / 6), geometry.Zoom(0.25): (0.8, 1.25),
              geometry.Shift(0.1): (-0.1, 0.1), geometry.QuarterTurn(): (0, 3), geometry.Flip(): (-1, 1)}  # fmt: skip
    for transform, (low, high) in bounds.items():
        drawn = transform.draw(numbers).numpy()
        assert low - 1e-6 <= drawn.min() < low + 0.02 * (high - low), transform.name
        assert high - 0.02 * (high - low) < drawn.max() <= high + 1e-6, transform.name
    assert set(geometry.QuarterTurn().draw(numbers).numpy()) == {0, 1, 2, 3}
    assert set(geometry.Flip().draw(numbers).numpy().ravel()) == {-1.0, 1.0}
