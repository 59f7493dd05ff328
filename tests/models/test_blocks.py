import keras
import numpy as np
import pytest

from tfrespam.models import blocks


@pytest.mark.parametrize(("channels", "width", "expected"), [(64, 1.0, 64), (64, 0.25, 16), (5, 1.0, 4), (7, 1.0, 8),
                                                             (64, 0.001, 2)])  # fmt: skip
def test_channel_counts_are_even_and_at_least_2(channels, width, expected):
    assert blocks.scaled(channels, width) == expected


@pytest.mark.parametrize(("shape", "message"), [((48, 64, 1), "multiples of 32"), ((64, 64), "input_shape"),
                                                ((64, 64, None), "input_shape")])  # fmt: skip
def test_input_must_fit_the_stride(shape, message):
    with pytest.raises(ValueError, match=message):
        blocks.checked_input(shape, 32)
    assert blocks.checked_input((None, 64, 1), 32).shape == (None, None, 64, 1)


def test_input_is_normalised_by_the_named_method():
    assert blocks.image_input((32, 32, 1), 16, "local_contrast")[1].shape == (None, 32, 32, 2)
    image, features = blocks.image_input((32, 32, 1), 16, "standardize")
    found = keras.Model(image, features).predict_on_batch(np.random.default_rng(0).random((2, 32, 32, 1), "float32"))
    np.testing.assert_allclose([found.mean((1, 2, 3)), found.std((1, 2, 3))], [[0, 0], [1, 1]], atol=1e-2)
    with pytest.raises(ValueError, match="normalization"):
        blocks.image_input((32, 32, 1), 16, "whiten")


def test_auxiliary_outputs_can_be_added_and_removed():
    image = blocks.checked_input((16, 16, 1), 8)
    features = blocks.double_conv(image, 4, "block", batch_normalization=True)
    side = blocks.side_mask(keras.layers.MaxPooling2D(2)(features), 2, "mask1")
    model = keras.Model(image, blocks.outputs(blocks.probability(features), {"mask1": side}))
    assert {name: each.shape for name, each in model.output.items()} == {"probability": (None, 16, 16, 1),
                                                                         "mask1": (None, 16, 16, 1)}  # fmt: skip
    alone, inputs = blocks.without_sides(model), np.random.default_rng(0).random((2, 16, 16, 1), "float32")
    assert not any("mask1" in layer.name for layer in alone.layers)
    np.testing.assert_allclose(alone(inputs), model(inputs)["probability"], atol=1e-6)
    assert blocks.without_sides(alone) is alone


def test_upsampling_doubles_both_sides():
    assert blocks.upsample(keras.Input((4, 6, 3)), "up").shape == (None, 8, 12, 3)
