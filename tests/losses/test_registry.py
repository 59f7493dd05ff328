"""Losses by name, against the reference implementation."""

import keras
import numpy as np
import pytest
from loss_reference import masks_of, probabilities_of, second_statement

from tfrespam import losses


@pytest.mark.parametrize("name", losses.loss_names())
def test_loss_is_the_mean_over_images_of_a_numpy_implementation(name):
    masks = masks_of()
    probabilities = probabilities_of(masks)
    expected = [second_statement(name, *pair) for pair in zip(masks, probabilities, strict=True)]
    loss = losses.get_loss(name)
    np.testing.assert_allclose(loss.call(masks, probabilities), expected, rtol=2e-5)
    np.testing.assert_allclose(loss(masks, probabilities), np.mean(expected), rtol=2e-5)
    weighted = loss(masks, probabilities, sample_weight=np.array([1.0, 0.0, 0.0], "float32"))
    np.testing.assert_allclose(weighted * 3, expected[0], rtol=2e-5)


@pytest.mark.parametrize("name", losses.loss_names())
def test_loss_of_an_empty_prediction_for_an_empty_mask_is_zero(name):
    empty = np.zeros((2, 8, 8, 1), "float32")
    assert abs(float(losses.get_loss(name)(empty, empty))) < 1e-6


@pytest.mark.parametrize("name", losses.loss_names())
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_worse_prediction_costs_more_and_gradients_are_finite_at_the_extremes(name, value):
    tensorflow = pytest.importorskip("tensorflow")
    mask = np.zeros((2, 16, 16, 1), "float32")
    mask[0, 2:9, 3:9] = 1  # the second image is empty
    loss = losses.get_loss(name)
    target = losses.outline(mask) if "outline" in name else mask
    assert float(loss(mask, target)) < 1e-4
    for probabilities in (np.full_like(mask, value), np.asarray(target), 1 - np.asarray(target)):
        prediction = tensorflow.Variable(probabilities)
        with tensorflow.GradientTape() as tape:
            result = loss(mask, prediction)
        assert np.isfinite(float(result)) and float(result) >= -1e-6
        assert np.isfinite(tape.gradient(result, prediction)).all()
    assert float(loss(mask, 1 - target)) > float(loss(mask, 0.5 * target + 0.2)) > float(loss(mask, target))


def test_unknown_names_and_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match="bce_dice.*Received: loss='lovasz'"):
        losses.get_loss("lovasz")
    with pytest.raises(ValueError, match=r"\(N, H, W, 1\).*Received"):
        losses.get_loss("bce")(np.zeros((2, 4, 4)), np.zeros((2, 4, 4)))


_SAVED = {  # by release 0.1.0: name, options -> loss of the masks and probabilities below
    "tversky": ({"misses": 0.8, "false_alarms": 0.1}, 0.641071081161499),
    "focal": ({"gamma": 1.5}, 0.3443886637687683),
    "bce_dice": ({}, 1.6543117761611938),
}


@pytest.mark.parametrize("name", _SAVED)
def test_losses_saved_by_the_first_release_load_and_give_the_same_values(name):
    options, expected = _SAVED[name]
    written = {"module": "tfrespam.losses.per_image", "class_name": "PerImageLoss",
               "config": {"name": name, "reduction": "sum_over_batch_size", "loss": name, "options": options},
               "registered_name": "tfrespam>PerImageLoss"}  # fmt: skip
    random, masks = np.random.default_rng(1), np.zeros((2, 16, 16, 1), "float32")
    masks[0, 3:9, 4:12] = masks[1, 8:10, 2:5] = 1
    probabilities = (0.05 + 0.9 * random.random(masks.shape)).astype("float32")
    loaded = keras.losses.deserialize(written)
    assert float(loaded(masks, probabilities)) == pytest.approx(expected, rel=1e-6)
    assert float(losses.get_loss(name, **options)(masks, probabilities)) == pytest.approx(expected, rel=1e-6)
    assert keras.losses.serialize(loaded)["config"] == written["config"]


def test_mixing_old_and_new_option_names_is_rejected():
    assert losses.get_loss("tversky", misses=0.6).options == {"alpha": 0.3, "beta": 0.6}
    with pytest.raises(ValueError, match="give either misses, false_alarms or beta, alpha"):
        losses.get_loss("tversky", misses=0.6, beta=0.4)
