"""cGAN: pix2pix generator and discriminator of 70 x 70 patches."""

import keras
import numpy as np
import pytest
from model_contract import (
    channel_trace,
    check_model,
    check_output,
    design,
    disk_images,
    tiny,
    trainable_parameters,
    without_values,
)

from tfrespam.models import DISCRIMINATORS


def discriminator(size, channels=1, width=1.0):
    return DISCRIMINATORS["cgan"]((size, size, channels), width)


def test_channel_trace():
    model = design("cgan", size=(256, 256))
    down = [f"down{level}" for level in range(1, 9)]
    assert channel_trace(model, down) == [(128, 32), (64, 64), (32, 128), (16, 256), (8, 256), (4, 256), (2, 256),
                                          (1, 256)]  # fmt: skip
    joined = [f"up{level}_concat" for level in range(7, 0, -1)]
    assert channel_trace(model, joined) == [(2, 512), (4, 512), (8, 512), (16, 512), (32, 256), (64, 128), (128, 64)]


@pytest.mark.parametrize("size, deepest", [
    ((224, 224), (5, 7)), ((128, 128), (7, 1)), ((96, 96), (5, 3)), ((256, 512), (8, 1)), ((1024, 1024), (8, 4)),
    ((None, None), (5, None))])  # fmt: skip
def test_images_are_halved_as_often_as_possible(size, deepest):
    model = design("cgan", size=size)
    level, side = deepest
    assert model.get_layer(f"down{level}").output.shape[1] == side
    assert f"down{level + 1}" not in {layer.name for layer in model.layers}
    assert model.output_shape == (None, *size, 1)


def test_parameters_with_three_input_channels():
    """13.61 M in the authors' code, which has three outputs and a bias before each batch normalisation."""
    model = design("cgan", size=(256, 256))
    biases = sum(layer.output.shape[-1] for layer in model.layers if layer.name.endswith("_bn"))
    outputs = 2 * (16 * 64 + 1)
    assert trainable_parameters(model) == 13_606_497
    assert trainable_parameters(model) + biases + outputs == 13_611_011
    assert trainable_parameters(design("cgan")) == 4_166_241


def test_parameters_of_the_discriminator():
    """0.70 M in the authors' code, whose masks have three channels."""
    with without_values():
        model = discriminator(256, 3)
    assert trainable_parameters(model) == 695_201
    assert round((trainable_parameters(model) + 2 * 16 * 32) / 1e6, 2) == 0.70
    assert channel_trace(model, ["judge1", "judge2", "judge3", "judge4", "true"]) == [
        (128, 32), (64, 64), (32, 128), (31, 256), (30, 1)]  # fmt: skip


def test_discriminator_has_a_receptive_field_of_70_pixels():
    """Each output of the discriminator depends on 70 x 70 pixels of the mask."""
    import tensorflow as tf

    keras.utils.set_random_seed(0)
    judge = discriminator(128, width=1 / 16)
    rng = np.random.default_rng(0)
    image, mask = (tf.constant(rng.random((1, 128, 128, 1), np.float32)) for _ in range(2))
    with tf.GradientTape() as tape:
        tape.watch(mask)
        verdict = judge([image, mask], training=False)[0, 7, 7, 0]
    reached = np.argwhere(np.array(tape.gradient(verdict, mask))[0, ..., 0])
    assert (reached.max(axis=0) - reached.min(axis=0) + 1).tolist() == [70, 70]


def test_discriminator_returns_probabilities():
    images, masks = disk_images()
    verdicts = np.array(discriminator(32, width=1 / 16)([images, masks]))
    assert verdicts.shape == (2, 2, 2, 1) and 0 < verdicts.min() <= verdicts.max() < 1


def test_number_of_levels_can_be_chosen():
    model = tiny("cgan", 64, levels=6)
    check_output(model)
    assert model.get_layer("down6").output.shape[1:3] == (1, 1)
    with pytest.raises(ValueError, match="`levels` must be from 5 to 8. Received: levels=9"):
        tiny("cgan", levels=9)
    with pytest.raises(ValueError, match="multiples of 64"):
        tiny("cgan", 32, levels=6)


def test_first_and_last_encoder_level_have_no_batch_normalisation():
    names = {layer.name for layer in design("cgan", size=(256, 256)).layers if layer.name.endswith("_bn")}
    assert names == {f"down{level}_bn" for level in range(2, 8)} | {f"up{level}_bn" for level in range(1, 8)}


def test_contract(tmp_path):
    check_model("cgan", tmp_path)
