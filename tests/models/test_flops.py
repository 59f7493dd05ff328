"""Counted operations against sums computed by hand."""

import keras
import pytest
from keras import layers

import tfrespam
from tfrespam.models.flops import count_flops


def test_convolutions_match_a_count_by_hand():
    image = keras.Input((16, 16, 3))
    features = layers.Conv2D(8, 3, 2, "same", use_bias=False)(image)  # 8 x 8
    model = keras.Model(image, layers.Conv2DTranspose(4, 2, 2, use_bias=False)(features))  # 16 x 16
    assert count_flops(model) == 2 * (8 * 8 * 8 * 3 * 3 * 3) + 2 * (8 * 8 * 8 * 2 * 2 * 4)


def test_a_multiplication_and_an_addition_count_as_two():
    image = keras.Input((4, 4, 5))
    assert count_flops(keras.Model(image, layers.Conv2D(7, 1)(image))) == 4 * 4 * 7 * (2 * 5 + 1)  # bias: one


def test_respam_unet_at_width_1_is_52_gflop():
    assert count_flops(tfrespam.build_model("respam_unet")) == pytest.approx(52.3e9, rel=2e-3)


def test_an_unknown_size_is_rejected():
    with pytest.raises(ValueError, match="fixed input size only"):
        count_flops(tfrespam.build_model("unet", (None, None, 1), 1 / 32))
