"""Augmentation on the device against augmentation in tf.data."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tfrespam.config import AugmentConfig
from tfrespam.data.loading import recrop
from tfrespam.data.loading.augment import Augment, joint
from tfrespam.training.accelerator import device_augment

ALL = AugmentConfig(rotation_degrees=30, flips=True, quarter_turns=True, scale=0.3, shift=0.1, gamma=0.4, contrast=0.3,
                    draw="joint")  # fmt: skip


def fields(drawn: np.ndarray, kind, first: int = 0):
    names = [name for name in kind._fields if name != "noise_seed"]
    values = {name: tf.constant(drawn[:, first + place]) for place, name in enumerate(names)}
    return kind(**values, **({"noise_seed": None} if kind is joint.JointDraw else {}))


def by_name(drawn: np.ndarray) -> dict:
    """Return the draws in the format of `Augment.draw`; quarter turns are part of the angle."""
    angle, zoom, down, right, flip_x, flip_y, gamma, contrast = drawn[:, :8].T
    return {"rotation": angle, "zoom": zoom, "flip": np.stack([flip_x, flip_y], 1), "shift": np.stack([down, right], 1),
            "gamma": gamma, "contrast": contrast}  # fmt: skip


@pytest.mark.parametrize("draw", ["separate", "joint"])
def test_same_draws_augment_images_as_in_tf_data(draw):
    random = np.random.default_rng(0)
    drawn = device_augment.draw(ALL, random, 6, 1.6)
    images, masks = random.random((6, 32, 24, 1), np.float32), (random.random((6, 32, 24, 1)) > 0.5).astype(np.float32)
    usual = Augment(rotation_degrees=30, scale=0.3, flips=True, shift=0.1, gamma=0.4, contrast=0.3)
    known = by_name(drawn) if draw == "separate" else fields(drawn, joint.JointDraw)
    augment = usual if draw == "separate" else joint.JointAugment(ALL)
    expected = augment.apply(known, tf.constant(images), tf.constant(masks))
    for found, known in zip(device_augment.apply(images, masks, tf.constant(drawn)), expected, strict=True):
        np.testing.assert_allclose(found, known, atol=1e-5)


@pytest.mark.parametrize("config", [
    dataclasses.replace(ALL, recrop=1.5, shift=0.0, rotation_degrees=180),
    dataclasses.replace(ALL, recrop=1.5, shift=0.0, context_range=(1.0, 2.0), off_centre=0.1, crop_shape="any"),
])  # fmt: skip
def test_same_draws_recrop_as_in_tf_data(config):
    random = np.random.default_rng(0)
    drawn = device_augment.draw(config, random, 6, 1.6)
    images, masks = random.random((6, 48, 48, 1), np.float32), np.zeros((6, 48, 48, 1), np.float32)
    masks[:, 16:32, 20:29] = 1
    transforms, crops = fields(drawn, joint.JointDraw), fields(drawn, recrop.Crop, first=8)
    expected = recrop.cut(transforms, crops, tf.constant(images), tf.constant(masks), 2.4, 1.5)
    expected = joint.JointAugment(config).apply(transforms, *expected, geometry=False)
    for found, known in zip(device_augment.recrop(images, masks, tf.constant(drawn), 2.4, 1.5), expected, strict=True):
        np.testing.assert_allclose(found, known, atol=1e-5)


def test_draws_have_the_same_distribution_as_in_tf_data():
    config = dataclasses.replace(ALL, recrop=1.5, shift=0.0, context_range=(1.0, 2.0), crop_shape="any", off_centre=0.1,
                                 quarter_turns=False)  # fmt: skip
    mine = device_augment.draw(config, np.random.default_rng(0), 2000, 1.6)
    seeds = tf.stack([tf.range(2000, dtype=tf.int64)] * 2, 1)
    drawn = tf.function(joint.JointAugment(config).draw)(seeds)  # eagerly, 2000 draws take seconds
    theirs = np.stack([*drawn[:8], *recrop.draw(config, seeds, 1.6)], 1)
    spread = np.ptp(theirs, axis=0)
    statistics = [lambda values, q=q: np.quantile(values, q, axis=0) for q in (0, 0.2, 0.4, 0.6, 0.8, 1)]
    for statistic in [*statistics, lambda values: values.mean(0)]:
        close = np.abs(statistic(mine) - statistic(theirs)) <= 0.06 * spread + 1e-6
        assert close.all(), close
