"""Losses by overlap."""

import keras
import numpy as np
import pytest
from loss_reference import assert_restored_from_configuration, masks_of, probabilities_of

from tfrespam import losses, metrics


def test_tversky_weighs_false_positives_by_alpha_and_false_negatives_by_beta():
    mask = masks_of(1)
    probability = probabilities_of(mask)
    ours = losses.Tversky(alpha=0.2, beta=0.9)(mask, probability)
    true, false_positive, false_negative = (float(np.sum(each)) for each in (
        mask * probability, (1 - mask) * probability, mask * (1 - probability)))  # fmt: skip
    expected = 1 - (true + 1) / (true + 0.2 * false_positive + 0.9 * false_negative + 1)
    assert float(ours) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("loss", [losses.Tversky(0.1, 0.9), losses.Dice(), losses.IoU(), losses.Projection(0.2, 0.7)])
def test_every_class_is_restored_from_its_configuration(loss):
    assert_restored_from_configuration(loss)


def test_losses_and_metrics_of_the_same_name_are_registered_separately():
    assert keras.saving.get_registered_object("tfrespam.losses>Dice") is losses.Dice
    assert keras.saving.get_registered_object("tfrespam>Dice") is metrics.Dice
