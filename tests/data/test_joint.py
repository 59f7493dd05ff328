"""The joint draw of earlier releases, needed to reproduce recorded runs and the paper's copies."""

import dataclasses

import cv2
import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage

from tfrespam.config import AugmentConfig
from tfrespam.data.loading.augment import JointAugment, joint

STILL = AugmentConfig(rotation_degrees=0.0, flips=False)
ALL = AugmentConfig(rotation_degrees=30, flips=True, quarter_turns=True, scale=0.3, shift=0.1, gamma=0.4, contrast=0.3,
                    noise=0.02, draw="joint")  # fmt: skip


def transform(angle=0.0, zoom=1.0, down=0.0, right=0.0, flip_x=1.0, flip_y=1.0, gamma=1.0, contrast=1.0):
    numbers = (tf.constant(float(value)) for value in (angle, zoom, down, right, flip_x, flip_y, gamma, contrast))
    return joint.JointDraw(*numbers, noise_seed=tf.constant([0, 0]))


def values(drawn):
    return np.array([float(value) for value in drawn[:-1]])


def draws(config, count=600):
    seeds = tf.stack([tf.zeros(count, tf.int32), tf.range(count)], 1)
    drawn = tf.vectorized_map(lambda seed: tf.stack(joint.draw(config, seed)[:-1]), seeds)
    return dict(zip(joint.JointDraw._fields, drawn.numpy().T, strict=False))


def smooth(height=48, width=48):
    """An image without sharp edges, on which different interpolations agree."""
    rng = np.random.default_rng(3)
    noise = ndimage.gaussian_filter(rng.normal(size=(height, width)), 4, mode="reflect")
    return ((noise - noise.min()) / np.ptp(noise)).astype(np.float32)


def blob(height=48, width=48):
    """A mass without symmetry, away from the edges."""
    y, x = np.mgrid[:height, :width]
    return (((y - 18) / 9) ** 2 + ((x - 28) / 5) ** 2 < 1) | ((abs(y - 27) < 3) & (abs(x - 22) < 7))


def apply(drawn, image, mask, noise=0.0):
    moved, moved_mask = one(drawn, *(tf.constant(each[..., None], tf.float32) for each in (image, mask)), noise)
    return moved.numpy()[..., 0], moved_mask.numpy()[..., 0]


def one(drawn, image, mask, noise):
    """Apply all transforms of a draw to a single image and its mask."""
    everything = JointAugment(dataclasses.replace(ALL, noise=noise))
    batch = joint.JointDraw(*(value[tf.newaxis] for value in drawn))
    return [each[0] for each in everything.apply(batch, image[tf.newaxis], mask[tf.newaxis])]


def test_a_draw_is_reproducible_and_depends_only_on_its_seed():
    first, again, other = (values(joint.draw(ALL, tf.constant(seed))) for seed in ([5, 7], [5, 7], [5, 8]))
    np.testing.assert_array_equal(first, again)
    assert (first != other).all() or np.count_nonzero(first != other) >= 6  # coins may fall alike
    joint.draw(ALL, tf.constant([1, 1]))
    np.testing.assert_array_equal(values(joint.draw(ALL, tf.constant([5, 7], tf.int64))), first)
    for drawn, number in zip(joint.draw(ALL, tf.constant([5, 7])).noise_seed, (5 + (1 << 20), 7), strict=True):
        assert int(drawn) == number


def test_draws_cover_their_range():
    drawn = draws(ALL)
    quarter, rest = np.divmod(drawn["angle"] + np.pi / 4, np.pi / 2)
    assert np.abs(rest - np.pi / 4).max() <= np.pi / 6 + 1e-5 < np.pi / 4
    assert set(quarter.astype(int) % 4) == {0, 1, 2, 3}
    for name, low, high in (("zoom", 1 / 1.3, 1.3), ("down", -0.1, 0.1), ("right", -0.1, 0.1), ("gamma", 1 / 1.4, 1.4),
                            ("contrast", 0.7, 1.3)):  # fmt: skip
        span = high - low
        assert low - 1e-6 <= drawn[name].min() < low + 0.05 * span, name
        assert high + 1e-6 >= drawn[name].max() > high - 0.05 * span, name
    for name in ("flip_x", "flip_y"):
        assert set(drawn[name]) == {-1.0, 1.0} and abs(drawn[name].mean()) < 0.15
    assert abs(np.corrcoef(drawn["flip_x"], drawn["flip_y"])[0, 1]) < 0.15
    names = ("angle", "zoom", "down", "right", "gamma", "contrast")
    correlations = np.corrcoef([drawn[name] for name in names]) - np.eye(len(names))
    assert np.abs(correlations).max() < 0.2


def test_the_paper_rotates_by_at_most_ten_degrees():
    drawn = draws(AugmentConfig())
    degrees = np.rad2deg(drawn["angle"])
    assert 9.5 < degrees.max() <= 10.00001 and -9.5 > degrees.min() >= -10.00001
    for name in ("zoom", "gamma", "contrast"):
        assert (drawn[name] == 1).all()
    assert not drawn["down"].any() and not drawn["right"].any()


def test_without_augmentation_images_are_unchanged():
    image, mask = np.random.default_rng(0).random((32, 40), np.float32), np.random.default_rng(1).random((32, 40)) > 0.5
    moved, moved_mask = apply(joint.draw(STILL, tf.constant([0, 3])), image, mask)
    np.testing.assert_allclose(moved, image, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(moved_mask, mask)


@pytest.mark.parametrize(("flip_x", "flip_y", "axes"), [(-1, 1, 1), (1, -1, 0), (-1, -1, (0, 1))])
@pytest.mark.parametrize("shape", [(32, 32), (33, 47)])
def test_flips_are_exact(flip_x, flip_y, axes, shape):
    image, mask = np.random.default_rng(0).random(shape, np.float32), np.random.default_rng(1).random(shape) > 0.5
    moved, moved_mask = apply(transform(flip_x=flip_x, flip_y=flip_y), image, mask)
    np.testing.assert_allclose(moved, np.flip(image, axes), rtol=0, atol=1e-6)
    np.testing.assert_array_equal(moved_mask, np.flip(mask, axes))


@pytest.mark.parametrize("turns", [1, 2, 3, -1])
def test_quarter_turns_are_exact_and_counterclockwise(turns):
    image, mask = np.random.default_rng(0).random((32, 32), np.float32), np.random.default_rng(1).random((32, 32)) > 0.5
    moved, moved_mask = apply(transform(angle=turns * np.pi / 2), image, mask)
    np.testing.assert_allclose(moved, np.rot90(image, turns), rtol=0, atol=2e-5)
    np.testing.assert_array_equal(moved_mask, np.rot90(mask, turns))


@pytest.mark.parametrize("degrees", [-10.0, 7.0, 30.0])
def test_rotation_matches_scipy(degrees):
    image, mask = smooth(), blob()
    moved, moved_mask = apply(transform(angle=np.deg2rad(degrees)), image, mask)
    expected = ndimage.rotate(image, degrees, reshape=False, order=1, mode="reflect")
    np.testing.assert_allclose(moved, expected, rtol=0, atol=1e-5)
    expected = ndimage.rotate(mask.astype(float), degrees, reshape=False, order=1) >= 0.5
    assert (moved_mask != expected).mean() < 1e-3


@pytest.mark.parametrize("numbers", [
    {"angle": 0.3, "zoom": 1.2, "down": 0.08, "right": -0.05},
    {"angle": -1.2, "zoom": 0.8, "down": -0.1, "right": 0.1, "flip_x": -1},
    {"angle": 0.1, "flip_y": -1, "right": 0.07},
])  # fmt: skip
@pytest.mark.parametrize("shape", [(48, 48), (48, 64)])
def test_every_geometric_transform_matches_opencv(numbers, shape):
    """Rotation counterclockwise and zoom about the centre, then flip, then shift."""
    image, mask = smooth(*shape), blob(*shape)
    full = {"angle": 0.0, "zoom": 1.0, "down": 0.0, "right": 0.0, "flip_x": 1, "flip_y": 1} | numbers
    centre = (shape[1] - 1) / 2, (shape[0] - 1) / 2
    turn = cv2.getRotationMatrix2D(centre, np.rad2deg(full["angle"]), full["zoom"])
    shift = np.array([[1, 0, full["right"] * shape[1]], [0, 1, full["down"] * shape[0]], [0, 0, 1]])
    flip = np.array([[full["flip_x"], 0, centre[0] * (1 - full["flip_x"])],
                     [0, full["flip_y"], centre[1] * (1 - full["flip_y"])], [0, 0, 1]])  # fmt: skip
    y, x = np.mgrid[: shape[0], : shape[1]]
    whole = shift @ flip @ np.vstack([turn, [0, 0, 1]])
    source = np.linalg.inv(whole) @ np.stack([x.ravel(), y.ravel(), np.ones(x.size)])
    expected, expected_mask = (ndimage.map_coordinates(picture.astype(float), source[1::-1], order=1, mode="reflect")
                               .reshape(shape) for picture in (image, mask))  # fmt: skip
    moved, moved_mask = apply(transform(**numbers), image, mask)
    np.testing.assert_allclose(moved, expected, rtol=0, atol=1e-4)
    assert (moved_mask != (expected_mask >= 0.5)).mean() < 1e-3


def test_image_and_mask_move_together():
    mask = blob()
    for number in range(20):
        drawn = joint.draw(AugmentConfig(rotation_degrees=180, scale=0.4, shift=0.2), tf.constant([0, number]))
        moved, moved_mask = apply(drawn, mask.astype(np.float32), mask)
        assert set(np.unique(moved_mask)) <= {0.0, 1.0}
        np.testing.assert_array_equal(moved >= 0.5, moved_mask)


def test_grey_values_follow_their_formula():
    image = smooth()
    moved, moved_mask = apply(transform(gamma=1.3, contrast=0.8), image, blob())
    raised = image.astype(float) ** 1.3
    np.testing.assert_allclose(moved, raised.mean() + 0.8 * (raised - raised.mean()), rtol=0, atol=1e-5)
    np.testing.assert_array_equal(moved_mask, blob())
    bright, _ = apply(transform(contrast=3.0), image, blob())
    assert bright.min() == 0 and bright.max() == 1


def test_noise_has_the_requested_deviation_and_is_reproducible():
    image = np.full((64, 64), 0.5, np.float32)
    drawn = [joint.draw(STILL, tf.constant([0, number])) for number in (1, 1, 2)]
    first, again, other = (apply(each, image, blob(64, 64), 0.05)[0] for each in drawn)
    np.testing.assert_array_equal(first, again)
    assert (first - image).std() == pytest.approx(0.05, rel=0.05) and abs((first - image).mean()) < 0.005
    assert abs(np.corrcoef(first.ravel(), other.ravel())[0, 1]) < 0.06


def test_results_in_tf_data_equal_eager_results():
    image, mask = smooth()[..., None], blob().astype(np.float32)[..., None]

    def step(number):
        return one(joint.draw(ALL, tf.stack([tf.constant(4, tf.int64), number])), image, mask, ALL.noise)

    inside = tf.data.Dataset.range(6).map(step, tf.data.AUTOTUNE, deterministic=True)
    for number, (picture, drawn_mask) in enumerate(inside.as_numpy_iterator()):
        expected, expected_mask = step(tf.constant(number, tf.int64))
        np.testing.assert_allclose(picture, expected, rtol=0, atol=1e-6)
        np.testing.assert_array_equal(drawn_mask, expected_mask)


def test_a_batch_is_augmented_like_single_images():
    drawn = [joint.draw(ALL, tf.constant([3, number])) for number in range(4)]
    images = [np.random.default_rng(number).random((32, 40), np.float32) for number in range(4)]
    stacked = joint.JointDraw(*map(tf.stack, zip(*drawn, strict=True)))
    masks = np.stack([blob(32, 40)] * 4)[..., None].astype(np.float32)
    together = JointAugment(ALL).apply(stacked, np.stack(images)[..., None], masks)
    for number, (moved, moved_mask) in enumerate(zip(*together, strict=True)):
        expected, expected_mask = apply(drawn[number], images[number], blob(32, 40), 0.02)
        np.testing.assert_allclose(moved[..., 0], expected, rtol=0, atol=1e-6)
        np.testing.assert_array_equal(moved_mask[..., 0], expected_mask)


@pytest.mark.parametrize("config", [STILL, AugmentConfig(), AugmentConfig(rotation_degrees=0, flips=False, gamma=0.3)])
def test_disabled_transforms_can_be_skipped(config):
    drawn = joint.JointDraw(*(value[None] for value in joint.draw(config, tf.constant([3, 1]))))
    images, masks = smooth()[None, ..., None], blob()[None, ..., None].astype(np.float32)
    expected = JointAugment(dataclasses.replace(ALL, noise=0.0)).apply(drawn, images, masks)
    for found, wanted in zip(JointAugment(config).apply(drawn, images, masks), expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-6)


def test_draws_match_those_of_earlier_releases():
    """Recorded before transforms had separate random streams."""
    expected = [-3.539114236831665, 0.8225796818733215, 0.03109002113342285, 0.023772621527314186, 1.0, -1.0,
                0.8555070757865906, 1.009645938873291]  # fmt: skip
    np.testing.assert_array_equal(values(joint.draw(ALL, tf.constant([5, 7]))), np.float32(expected))


def test_a_batch_is_drawn_like_single_images():
    seeds = tf.constant([[5, 7], [0, 1], [3, 1 << 20]], tf.int64)
    for number, field in enumerate(zip(*JointAugment(ALL).draw(seeds), strict=True)):
        for found, expected in zip(field, joint.draw(ALL, seeds[number]), strict=True):
            np.testing.assert_array_equal(found, expected)
