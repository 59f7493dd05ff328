"""Attention Dense-U-Net: dense blocks with addition, attention gates on the skips."""

import keras
import numpy as np
import pytest
from model_contract import channel_trace, check_model, design, disk_images, tiny, trainable_parameters

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
    """"About 68.6 M" in the re-implementation, whose convolutions before batch normalisation have a bias."""
    model = design("attention_dense_unet")
    biases = sum(layer.output.shape[-1] for layer in model.layers if layer.name.endswith("_bn"))
    assert trainable_parameters(model) == 68_619_845
    assert round((trainable_parameters(model) + biases) / 1e6, 1) == 68.6


def test_inner_convolutions_of_a_block_receive_all_earlier_outputs():
    model = tiny("attention_dense_unet")
    made = {layer.name: layer.output for layer in model.layers}
    for index, earlier in ((2, ["1"]), (3, ["1", "2_add"]), (4, ["1", "2_add", "3_add"])):
        expected = [made[f"bottom_{name}"] for name in (*earlier, str(index))]
        inputs = model.get_layer(f"bottom_{index}_add").input
        assert len(inputs) == len(expected) and all(a is b for a, b in zip(inputs, expected, strict=True))


def test_gates_scale_a_skip_by_weights_between_0_and_1():
    model = tiny("attention_dense_unet")
    names = [name for channels in (64, 512) for name in (f"encoder{channels}_5", f"gate{channels}_weighed",
                                                         f"gate{channels}_up")]  # fmt: skip
    inner = keras.Model(model.input, [model.get_layer(name).output for name in names])
    for skip, weighted, weights in zip(*[iter(map(np.array, inner(disk_images()[0])))] * 3, strict=True):
        assert 0 <= weights.min() < weights.max() <= 1 and weights.shape[-1] == 1
        np.testing.assert_allclose(weighted, weights * skip, rtol=1e-6)


def test_a_closed_gate_suppresses_the_skip():
    model = tiny("attention_dense_unet")
    model.get_layer("gate64_weights").bias.assign([-100.0])
    weighted = keras.Model(model.input, model.get_layer("gate64_weighed").output)(disk_images()[0])
    assert np.max(np.abs(weighted)) < 1e-30


def test_contract(tmp_path):
    check_model("attention_dense_unet", tmp_path)


@pytest.mark.slow
def test_gates_of_ten_channels_train_at_64_pixels():
    """TensorFlow 2.21 crashes with a segmentation fault here if a strided convolution halves the skip."""
    images = np.random.default_rng(0).random((8, 64, 64, 1), np.float32)
    model = tfrespam.build_model("attention_dense_unet", (64, 64, 1), 0.17)
    model.compile("adam", "binary_crossentropy")
    losses = [model.train_on_batch(images, images > 0.8) for _ in range(3)]
    assert np.isfinite(losses).all()
