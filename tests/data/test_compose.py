"""`Augment` and `build`: reproducibility, independence of the transforms, user-defined transforms, errors."""

import numpy as np
import pytest
import tensorflow as tf

from tfrespam.config import AugmentConfig
from tfrespam.core.errors import UserError
from tfrespam.data.loading import augment
from tfrespam.data.loading.augment import Augment, Geometric, Intensity, JointAugment

ALL = {"rotation_degrees": 30, "flips": True, "quarter_turns": True, "scale": 0.3, "shift": 0.1, "gamma": 0.4,
       "contrast": 0.3, "noise": 0.02}  # fmt: skip
SEEDS = np.array([[5, 7], [5, 8], [2, 0]])
_rng = np.random.default_rng(0)
IMAGES = _rng.random((3, 40, 56, 1)).astype(np.float32)
MASKS = (IMAGES > 0.7).astype(np.uint8)


class Invert(Intensity):
    """Negative of an image with probability one half."""

    def apply(self, drawn, images):
        return tf.where(drawn[:, :, None, None] < 0, 1 - images, images)


class Shear(Geometric):
    """Shift rows by as much as they lie below the centre."""

    def matrix(self, drawn, height, width):
        zero, one = tf.zeros_like(drawn[:, 0]), tf.ones_like(drawn[:, 0])
        rows = [[one, drawn[:, 0], zero], [zero, one, zero], [zero, zero, one]]
        return tf.stack([tf.stack(row, -1) for row in rows], 1)


def test_the_same_seeds_give_the_same_images_in_any_batch():
    change = Augment(**ALL)
    images, masks = change(IMAGES, MASKS, SEEDS)
    again, _ = change(IMAGES, MASKS, SEEDS)
    np.testing.assert_array_equal(images, again)
    for number in range(3):
        one, its_mask = change(IMAGES[number : number + 1], MASKS[number : number + 1], SEEDS[number : number + 1])
        np.testing.assert_allclose(one[0], images[number], rtol=0, atol=1e-6)
        np.testing.assert_array_equal(its_mask[0], masks[number])
    assert images.dtype == masks.dtype == tf.float32 and set(np.unique(masks)) == {0.0, 1.0}
    assert np.min(images) >= 0 and np.max(images) <= 1


def test_an_integer_seed_numbers_the_images():
    change = Augment(rotation_degrees=20, noise=0.1)
    pairs = np.array([[3, 0], [3, 1], [3, 2]])
    np.testing.assert_array_equal(change(IMAGES, MASKS, seed=3)[0], change(IMAGES, MASKS, pairs)[0])
    assert np.any(change(IMAGES, MASKS, seed=3)[0] != change(IMAGES, MASKS, seed=4)[0])


def test_results_in_tf_data_equal_eager_results():
    change = Augment(**ALL)
    data = tf.data.Dataset.from_tensors((IMAGES, MASKS)).map(lambda images, masks: change(images, masks, SEEDS))
    for found, expected in zip(next(iter(data)), change(IMAGES, MASKS, SEEDS), strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", list(ALL))
def test_transforms_do_not_change_each_others_draws(name):
    everything = Augment(Shear(), Invert(), **ALL).draw(SEEDS)
    without = Augment(**{key: value for key, value in ALL.items() if key != name}).draw(SEEDS)
    assert len(without) == len(ALL) - 1
    for each, numbers in without.items():
        np.testing.assert_array_equal(numbers, everything[each])


def test_without_transforms_images_are_unchanged():
    images, masks = Augment()(IMAGES, MASKS)
    np.testing.assert_array_equal(images, IMAGES)
    np.testing.assert_array_equal(masks, MASKS)


def test_image_and_mask_move_together_in_one_resampling():
    change = Augment(Shear(), rotation_degrees=180, flips=True, scale=0.4, shift=0.2)
    images, masks = change(MASKS.astype(np.float32), MASKS, seed=1)
    np.testing.assert_array_equal(images.numpy() >= 0.5, masks.numpy() > 0)
    there = change(images, masks, seed=1)[0]
    assert np.any(there != images)


def test_user_defined_transforms_follow_built_in_ones_of_their_kind():
    plain, own = Augment(gamma=0.4), Augment(Invert(), gamma=0.4)
    inverted = own.draw(SEEDS)["invert"][:, 0] < 0
    images, _ = plain(IMAGES, MASKS, SEEDS)
    expected = np.where(inverted[:, None, None, None], 1 - images, images)
    np.testing.assert_allclose(own(IMAGES, MASKS, SEEDS)[0], expected, rtol=0, atol=1e-6)
    assert np.any(inverted) and not np.all(inverted)


@pytest.mark.parametrize("setting", [{"rotation_degrees": -1}, {"rotation_degrees": 181}, {"shift": 1.5},
                                     {"contrast": -0.1}, {"scale": float("nan")}])  # fmt: skip
def test_settings_out_of_range_are_refused(setting):
    with pytest.raises(ValueError, match=f"`{next(iter(setting))}` must be a number from 0"):
        Augment(**setting)


def test_duplicate_names_and_other_objects_are_rejected():
    with pytest.raises(ValueError, match="Received twice: shear"):
        Augment(Shear(), Shear())
    with pytest.raises(TypeError, match="Geometric or Intensity"):
        Augment(lambda images: images)


def test_build_follows_the_configuration(monkeypatch, tmp_path):
    (tmp_path / "my_changes.py").write_text(
        "from tfrespam.data.loading.augment import Intensity\n\n\n"
        "class Darker(Intensity):\n    def apply(self, drawn, images):\n        return images * 0.5\n\n\n"
        "class Wrong:\n    pass\n\n\nclass Needs(Intensity):\n    def __init__(self, factor):\n        pass\n")
    monkeypatch.chdir(tmp_path)
    built = augment.build(AugmentConfig(rotation_degrees=0, flips=False, extra=("my_changes:Darker",)))
    np.testing.assert_allclose(built(IMAGES, MASKS)[0], IMAGES * 0.5)
    assert isinstance(augment.build(AugmentConfig(draw="joint")), JointAugment)
    for name, message in (("my_changes:Wrong", "subclasses of Geometric"), ("my_changes:Gone", "no callable"),
                          ("no_such_module:A", "cannot be imported"), ("my_changes:Needs", "factor")):  # fmt: skip
        with pytest.raises(UserError, match=message):
            augment.build(AugmentConfig(extra=(name,)))


def test_a_user_defined_geometric_transform_excludes_recrop(monkeypatch, tmp_path):
    (tmp_path / "my_shear.py").write_text(
        "from tfrespam.data.loading.augment import Geometric\n\n\nclass MyShear(Geometric):\n    pass\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="`augment.recrop` must be 0"):
        augment.build(AugmentConfig(recrop=1.5, extra=("my_shear:MyShear",)))


def test_two_transforms_of_one_name_are_a_wrong_setting(tmp_path, monkeypatch):
    (tmp_path / "own_noise.py").write_text("from tfrespam.data.loading.augment.intensity import Noise\n\n\n"
                                           "def Mine():\n    return Noise(0.1)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(UserError, match="`augment`: Transforms must have different names.*Received twice: noise"):
        augment.build(AugmentConfig(noise=0.1, extra=("own_noise:Mine",)))
