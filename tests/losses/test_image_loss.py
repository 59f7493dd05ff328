"""Properties of all losses: mean over images in float32, and numeric options."""

import keras
import numpy as np
import pytest

from tfrespam import losses
from tfrespam.losses import registry


@pytest.mark.parametrize("name", losses.loss_names())
def test_float16_predictions_of_a_large_image_do_not_overflow(name):
    mask = np.ones((1, 512, 512, 1), "float32")
    result = losses.get_loss(name)(mask, mask.astype("float16"))
    assert keras.backend.standardize_dtype(result.dtype) == "float32"
    assert np.isfinite(float(result)) and (name == "log_dice_outline" or float(result) < 1e-4)


def test_a_missed_small_mass_counts_as_much_as_a_large_one():
    masks = np.zeros((2, 64, 64, 1), "float32")
    masks[0, :60], masks[1, :2, :2] = 1, 1
    predictions = masks.copy()
    predictions[1] = 0
    assert float(losses.get_loss("dice")(masks, predictions)) == pytest.approx(0.4, abs=1e-4)  # (0 + 4/5) / 2


@pytest.mark.parametrize("value", [-1, "2", True, None])
def test_options_are_numbers_of_0_or_more(value):
    with pytest.raises(ValueError, match="Options of loss 'focal' must be numbers of 0 or more. Received: {'gamma': "):
        losses.get_loss("focal", gamma=value)


def test_a_radius_is_a_whole_number_of_pixels():
    masks = np.zeros((1, 9, 9, 1), np.float32)
    masks[0, 2:7, 2:7] = 1
    whole, same = (float(losses.get_loss("boundary", radius=radius)(masks, masks * 0.5)) for radius in (2, 2.0))
    assert whole == same
    with pytest.raises(ValueError, match="must be a whole number of pixels. Received: 2.5"):
        losses.get_loss("boundary", radius=2.5)


@pytest.mark.parametrize("name", sorted(registry.LOSSES))
def test_nan_is_never_hidden(name):
    masks = np.zeros((1, 9, 9, 1), np.float32)
    masks[0, 2:7, 2:7] = 1
    assert np.isnan(float(losses.get_loss(name)(masks, np.full_like(masks, np.nan))))
