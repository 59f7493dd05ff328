"""SegNet: channel counts of VGG-16 in encoder and decoder, parameter count, unpooling by the encoder's indices."""

import keras
import numpy as np
from model_contract import channel_trace, check_model, design, disk_images, tiny, trainable_parameters


def test_channel_trace():
    model = design("segnet")
    encoder = ["encoder1_2_relu", "encoder2_2_relu", "encoder3_3_relu", "encoder4_3_relu", "encoder5_3_relu"]
    assert channel_trace(model, encoder) == [(224, 64), (112, 128), (56, 256), (28, 512), (14, 512)]
    decoder = ["decoder5_3_relu", "decoder4_3_relu", "decoder3_3_relu", "decoder2_2_relu", "decoder1_1_relu"]
    assert channel_trace(model, decoder) == [(14, 512), (28, 256), (56, 128), (112, 64), (224, 64)]
    assert sum("_conv" in layer.name for layer in model.layers) == 13 + 12


def test_parameters_with_three_input_channels():
    assert trainable_parameters(design("segnet")) == 29_435_649  # 29.44 M


def test_contract(tmp_path):
    check_model("segnet", tmp_path)


def test_each_level_is_unpooled_by_its_own_indices():
    model = tiny("segnet")
    levels = range(1, 6)
    parts = keras.Model(model.input, {
        **{f"before{level}": model.get_layer(f"pool{level}").input for level in levels},
        **{f"after{level}": model.get_layer(f"unpool{level}").output for level in levels}})  # fmt: skip
    values = parts(disk_images()[0])
    for level in levels:
        before, after = np.array(values[f"before{level}"]), np.array(values[f"after{level}"])
        filled = after != 0
        assert filled.any()
        largest = np.kron(np.array(keras.ops.max_pool(before, 2)), np.ones((1, 2, 2, 1)))
        np.testing.assert_array_equal(before[filled], largest[filled])
