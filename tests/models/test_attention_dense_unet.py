"""Attention Dense-U-Net: dense blocks that add, gates on the skips."""

import keras
import numpy as np
import pytest
from model_contract import channel_trace, check_model, design, pictures, tiny, trainable_parameters

import tfrespam


def test_channel_trace():
    model = design("attention_dense_unet")
    encoder = [f"encoder{channels}_5" for channels in (64, 128, 256, 512)] + ["bottom_5"]
    assert channel_trace(model, encoder) == [(224, 64), (112, 128), (56, 256), (28, 512), (14, 1024)]
    narrow = [f"pool{channels}" for channels in (64, 128, 256, 512)]
    assert channel_trace(model, narrow) == [(112, 64), (56, 64), (28, 64), (14, 64)]
    joined = [f"concat{channels}" for channels in (512, 256, 128, 64)]
    assert channel_trace(model, joined) == [(28, 1024), (56, 512), (112, 256), (224, 128)]


def test_parameters_with_three_input_channels():
    """"About 68.6 M" in the re-implementation, whose convolutions have a bias in front of each batch normalisation."""
    model = design("attention_dense_unet")
    biases = sum(layer.output.shape[-1] for layer in model.layers if layer.name.endswith("_bn"))
    assert trainable_parameters(model) == 68_619_845
    assert round((trainable_parameters(model) + biases) / 1e6, 1) == 68.6


def test_the_inner_convolutions_of_a_block_get_all_that_came_before():
    model = tiny("attention_dense_unet")
    made = {layer.name: layer.output for layer in model.layers}
    for index, earlier in ((2, ["1"]), (3, ["1", "2_add"]), (4, ["1", "2_add", "3_add"])):
        expected = [made[f"bottom_{name}"] for name in (*earlier, str(index))]
        inputs = model.get_layer(f"bottom_{index}_add").input
        assert len(inputs) == len(expected) and all(a is b for a, b in zip(inputs, expected, strict=True))


def test_gates_weigh_a_skip_between_0_and_1():
    model = tiny("attention_dense_unet")
    names = [name for channels in (64, 512) for name in (f"encoder{channels}_5", f"gate{channels}_weighed",
                                                         f"gate{channels}_up")]  # fmt: skip
    inner = keras.Model(model.input, [model.get_layer(name).output for name in names])
    for skip, weighed, weights in zip(*[iter(map(np.array, inner(pictures()[0])))] * 3, strict=True):
        assert 0 <= weights.min() < weights.max() <= 1 and weights.shape[-1] == 1
        np.testing.assert_allclose(weighed, weights * skip, rtol=1e-6)


def test_a_shut_gate_lets_nothing_of_the_skip_through():
    model = tiny("attention_dense_unet")
    model.get_layer("gate64_weights").bias.assign([-100.0])
    weighed = keras.Model(model.input, model.get_layer("gate64_weighed").output)(pictures()[0])
    assert np.max(np.abs(weighed)) < 1e-30


def test_contract(tmp_path):
    check_model("attention_dense_unet", tmp_path)


@pytest.mark.slow
def test_gates_of_ten_channels_train_at_64_pixels():
    """Where TensorFlow 2.21 ends with a segmentation fault if the skip is halved by the convolution itself."""
    images = np.random.default_rng(0).random((8, 64, 64, 1), np.float32)
    model = tfrespam.build_model("attention_dense_unet", (64, 64, 1), 0.17)
    model.compile("adam", "binary_crossentropy")
    losses = [model.train_on_batch(images, images > 0.8) for _ in range(3)]
    assert np.isfinite(losses).all()
