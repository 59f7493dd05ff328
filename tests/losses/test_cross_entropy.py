"""Losses by cross-entropy."""

import keras
import pytest
from loss_reference import assert_restored_from_configuration, masks_of, probabilities_of

from tfrespam import losses


def test_options_and_serialisation_round_trip():
    masks = masks_of()
    probabilities = probabilities_of(masks)
    loss = losses.get_loss("focal", gamma=0.5, alpha=0.4)
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert isinstance(again, losses.Focal) and again.options == {"gamma": 0.5, "alpha": 0.4}
    assert float(again(masks, probabilities)) == float(loss(masks, probabilities))
    assert float(loss(masks, probabilities)) != float(losses.get_loss("focal")(masks, probabilities))


@pytest.mark.parametrize("loss", [losses.Boundary(2, 3.0), losses.BCEDice(dice_weight=0.5), losses.WeightedBCE(0.7)])
def test_every_class_is_restored_from_its_configuration(loss):
    assert_restored_from_configuration(loss)
