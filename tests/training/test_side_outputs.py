"""Deep supervision with `fit`: a network of one convolution whose outputs are known functions of the image."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from tfrespam.core.errors import UserError
from tfrespam.losses import get_loss, outline
from tfrespam.metrics import default_metrics
from tfrespam.models.blocks import without_sides
from tfrespam.training.objectives.side_outputs import SideSupervision

RNG = np.random.default_rng(0)
IMAGES = ops.convert_to_tensor(RNG.random((4, 16, 16, 1), np.float32))
MASKS = ops.pad(ops.ones((4, 10, 8, 1)), ((0, 0), (3, 3), (4, 4), (0, 0)))


def network():
    image = keras.Input((16, 16, 1), name="image")
    ends = {name: layers.Conv2D(1, 3, padding="same", activation="sigmoid", name=name)(image)
            for name in ("probability", "boundary1", "mask1")}  # fmt: skip
    return keras.Model(image, ends)


def supervised(weights=(1.0,), decay=0.0, steps=2, side_loss="log_dice"):
    keras.utils.set_random_seed(0)
    model = SideSupervision(network(), get_loss(side_loss), weights, decay, steps)
    model.compile(keras.optimizers.Adam(0.01), get_loss("dice"), metrics=default_metrics(), run_eagerly=True)
    return model


def parts(model):
    """Return the losses of the output, of the outline and of the mask's auxiliary output."""
    outputs = model.network(IMAGES)
    side = get_loss("log_dice")
    return (float(get_loss("dice")(MASKS, outputs["probability"])), float(side(outline(MASKS), outputs["boundary1"])),
            float(side(MASKS, outputs["mask1"])))  # fmt: skip


@pytest.mark.parametrize("weights, expected", [((1.0,), (1, 1)), ((0.5,), (0.5, 0.5)), ((0.25, 2.0), (0.25, 2))])
def test_loss_is_the_weighted_sum(weights, expected):
    model = supervised(weights)
    loss = model.evaluate(IMAGES, MASKS, verbose=0, return_dict=True)["loss"]
    main, line, mask = parts(model)
    assert loss == pytest.approx(main + expected[0] * line + expected[1] * mask, rel=1e-5)


def test_auxiliary_weights_decay_quadratically():
    model = supervised(decay=4, steps=2)
    found = []
    for _ in range(12):
        found.append(float(model.side_weight()))
        model.train_on_batch(IMAGES, MASKS)
    expected = [max(1 - (step // 2) / 4, 0) ** 2 for step in range(12)]
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert model.evaluate(IMAGES, MASKS, verbose=0, return_dict=True)["loss"] == pytest.approx(parts(model)[0])


def test_without_decay_auxiliary_weights_are_constant():
    model = supervised()
    model.train_on_batch(IMAGES, MASKS)
    assert model.side_weight() == 1.0


def test_every_output_learns_and_metrics_keep_their_names():
    model = supervised(side_loss="bce")
    before = [np.array(weight) for weight in model.trainable_variables]
    history = model.fit(IMAGES, MASKS, validation_data=(IMAGES, MASKS), batch_size=2, epochs=2, verbose=0).history
    names = {"loss", "dice", "iou", "miou"}
    assert set(history) == names | {f"val_{name}" for name in names}
    assert all(np.any(np.array(w) != old) for w, old in zip(model.trainable_variables, before, strict=True))
    scores = model.evaluate(IMAGES, MASKS, verbose=0, return_dict=True)
    alone = without_sides(model.network)
    alone.compile(loss=get_loss("dice"), metrics=default_metrics())
    assert scores["dice"] == pytest.approx(alone.evaluate(IMAGES, MASKS, verbose=0, return_dict=True)["dice"])


def test_auxiliary_outputs_can_be_removed():
    model = network()
    alone = without_sides(model)
    assert alone.output_names == ["probability"] and len(alone.weights) == 2
    np.testing.assert_array_equal(alone(IMAGES), model(IMAGES)["probability"])
    assert without_sides(alone) is alone


def test_a_wrong_number_of_weights_is_rejected():
    with pytest.raises(UserError, match=r"one number, or one for each of boundary1, mask1. Received: \[1.0, 2.0, 3.0"):
        supervised((1.0, 2.0, 3.0))
