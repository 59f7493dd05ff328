import cv2
import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage

from tfrespam.config import AugmentConfig
from tfrespam.data import augment

STILL = AugmentConfig(rotation_degrees=0.0, flips=False)
ALL = AugmentConfig(rotation_degrees=30, flips=True, quarter_turns=True, scale=0.3, shift=0.1, gamma=0.4, contrast=0.3,
                    noise=0.02)  # fmt: skip


def transform(angle=0.0, zoom=1.0, down=0.0, right=0.0, flip_x=1.0, flip_y=1.0, gamma=1.0, contrast=1.0):
    numbers = (tf.constant(float(value)) for value in (angle, zoom, down, right, flip_x, flip_y, gamma, contrast))
    return augment.Transform(*numbers, noise_seed=tf.constant([0, 0]))


def values(drawn):
    return np.array([float(value) for value in drawn[:-1]])


def draws(config, count=600):
    seeds = tf.stack([tf.zeros(count, tf.int32), tf.range(count)], 1)
    drawn = tf.vectorized_map(lambda seed: tf.stack(augment.draw(config, seed)[:-1]), seeds)
    return dict(zip(augment.Transform._fields, drawn.numpy().T, strict=False))


def smooth(height=48, width=48):
    """A picture without sharp edges: interpolations of different kinds agree on it."""
    rng = np.random.default_rng(3)
    noise = ndimage.gaussian_filter(rng.normal(size=(height, width)), 4, mode="reflect")
    return ((noise - noise.min()) / np.ptp(noise)).astype(np.float32)


def blob(height=48, width=48):
    """A mass without symmetry, away from the edges."""
    y, x = np.mgrid[:height, :width]
    return (((y - 18) / 9) ** 2 + ((x - 28) / 5) ** 2 < 1) | ((abs(y - 27) < 3) & (abs(x - 22) < 7))


def apply(drawn, image, mask, noise=0.0):
    pictures = (tf.constant(picture[..., None], tf.float32) for picture in (image, mask))
    moved, moved_mask = augment.apply(drawn, *pictures, noise)
    return moved.numpy()[..., 0], moved_mask.numpy()[..., 0]


def test_a_draw_can_be_replayed_and_depends_on_its_seed_alone():
    first, again, other = (values(augment.draw(ALL, tf.constant(seed))) for seed in ([5, 7], [5, 7], [5, 8]))
    np.testing.assert_array_equal(first, again)
    assert (first != other).all() or np.count_nonzero(first != other) >= 6  # coins may fall alike
    augment.draw(ALL, tf.constant([1, 1]))
    np.testing.assert_array_equal(values(augment.draw(ALL, tf.constant([5, 7], tf.int64))), first)
    for drawn, number in zip(augment.draw(ALL, tf.constant([5, 7])).noise_seed, (5 + (1 << 20), 7), strict=True):
        assert int(drawn) == number


def test_draws_stay_in_their_bounds_and_fill_them():
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


def test_the_paper_turns_by_ten_degrees_at_most():
    drawn = draws(AugmentConfig())
    degrees = np.rad2deg(drawn["angle"])
    assert 9.5 < degrees.max() <= 10.00001 and -9.5 > degrees.min() >= -10.00001
    for name in ("zoom", "gamma", "contrast"):
        assert (drawn[name] == 1).all()
    assert not drawn["down"].any() and not drawn["right"].any()


def test_switched_off_everything_stays_as_it_is():
    image, mask = np.random.default_rng(0).random((32, 40), np.float32), np.random.default_rng(1).random((32, 40)) > 0.5
    moved, moved_mask = apply(augment.draw(STILL, tf.constant([0, 3])), image, mask)
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
def test_quarter_turns_are_exact_and_counter_clockwise(turns):
    image, mask = np.random.default_rng(0).random((32, 32), np.float32), np.random.default_rng(1).random((32, 32)) > 0.5
    moved, moved_mask = apply(transform(angle=turns * np.pi / 2), image, mask)
    np.testing.assert_allclose(moved, np.rot90(image, turns), rtol=0, atol=2e-5)
    np.testing.assert_array_equal(moved_mask, np.rot90(mask, turns))


@pytest.mark.parametrize("degrees", [-10.0, 7.0, 30.0])
def test_rotation_is_that_of_scipy(degrees):
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
def test_every_geometry_is_that_of_opencv(numbers, shape):
    """Turn counter-clockwise and zoom about the centre, then flip, then shift."""
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
        drawn = augment.draw(AugmentConfig(rotation_degrees=180, scale=0.4, shift=0.2), tf.constant([0, number]))
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


def test_noise_has_its_deviation_and_can_be_replayed():
    image = np.full((64, 64), 0.5, np.float32)
    drawn = [augment.draw(STILL, tf.constant([0, number])) for number in (1, 1, 2)]
    first, again, other = (apply(each, image, blob(64, 64), 0.05)[0] for each in drawn)
    np.testing.assert_array_equal(first, again)
    assert (first - image).std() == pytest.approx(0.05, rel=0.05) and abs((first - image).mean()) < 0.005
    assert abs(np.corrcoef(first.ravel(), other.ravel())[0, 1]) < 0.06


def test_inside_tf_data_everything_is_as_outside():
    image, mask = smooth()[..., None], blob().astype(np.float32)[..., None]

    def step(number):
        return augment.apply(augment.draw(ALL, tf.stack([tf.constant(4, tf.int64), number])), image, mask, ALL.noise)

    inside = tf.data.Dataset.range(6).map(step, tf.data.AUTOTUNE, deterministic=True)
    for number, (picture, drawn_mask) in enumerate(inside.as_numpy_iterator()):
        expected, expected_mask = step(tf.constant(number, tf.int64))
        np.testing.assert_allclose(picture, expected, rtol=0, atol=1e-6)
        np.testing.assert_array_equal(drawn_mask, expected_mask)


def test_a_batch_is_its_pictures_one_by_one():
    drawn = [augment.draw(ALL, tf.constant([3, number])) for number in range(4)]
    images = [np.random.default_rng(number).random((32, 40), np.float32) for number in range(4)]
    stacked = augment.Transform(*map(tf.stack, zip(*drawn, strict=True)))
    masks = np.stack([blob(32, 40)] * 4)[..., None].astype(np.float32)
    together = augment.apply_batch(stacked, np.stack(images)[..., None], masks, noise=0.02)
    for number, (moved, moved_mask) in enumerate(zip(*together, strict=True)):
        expected, expected_mask = apply(drawn[number], images[number], blob(32, 40), 0.02)
        np.testing.assert_allclose(moved[..., 0], expected, rtol=0, atol=1e-6)
        np.testing.assert_array_equal(moved_mask[..., 0], expected_mask)


@pytest.mark.parametrize("config", [STILL, AugmentConfig(), AugmentConfig(rotation_degrees=0, flips=False, gamma=0.3)])
def test_what_a_config_leaves_alone_need_not_be_computed(config):
    drawn = augment.Transform(*(value[None] for value in augment.draw(config, tf.constant([3, 1]))))
    pictures = smooth()[None, ..., None], blob()[None, ..., None].astype(np.float32)
    some = augment.apply_batch(drawn, *pictures, moves=augment.moves(config), regrades=augment.regrades(config))
    for found, expected in zip(some, augment.apply_batch(drawn, *pictures), strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
