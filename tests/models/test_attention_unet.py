"""Attention U-Net: additive gates on the skips."""

import keras
import numpy as np
from model_contract import channel_trace, check_model, design, disk_images, tiny, trainable_parameters


def test_channel_trace():
    model = design("attention_unet")
    encoder = [f"encoder{channels}_2_bn" for channels in (32, 64, 128, 256)] + ["bottom_2_relu"]
    assert channel_trace(model, encoder) == [(224, 32), (112, 64), (56, 128), (28, 256), (14, 512)]
    joined = [f"concat{channels}" for channels in (256, 128, 64, 32)]
    assert channel_trace(model, joined) == [(28, 256 + 256), (56, 128 + 128), (112, 128 + 64), (224, 32 + 32)]
    signals = [f"gate{channels}_signal_relu" for channels in (256, 128, 64, 32)]
    assert channel_trace(model, signals) == [(14, 1024), (28, 512), (56, 256), (112, 128)]


def test_parameters_with_three_input_channels():
    assert trainable_parameters(design("attention_unet")) == 11_015_237  # 11.02 M


def test_gates_are_between_0_and_1_and_scale_the_skip():
    model = tiny("attention_unet")
    gate = keras.Model(model.input, [model.get_layer("gate32_up").output, model.get_layer("encoder32_2_bn").output,
                                     model.get_layer("gate32_weighed").output])
    weights, skip, weighted = (np.array(value) for value in gate(disk_images()[0]))
    assert weights.shape == (*skip.shape[:3], 1)
    assert 0 < weights.min() < weights.max() < 1
    np.testing.assert_allclose(weighted, weights * skip, rtol=1e-6)


def test_contract(tmp_path):
    check_model("attention_unet", tmp_path)
