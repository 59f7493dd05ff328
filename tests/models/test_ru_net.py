"""RU-Net: residual units, residual attention on the skips."""

import keras
import numpy as np
from model_contract import (
    channel_trace,
    check_model,
    check_output,
    design,
    disk_images,
    tiny,
    trainable_parameters,
)

LEVELS = (64, 128, 256, 512)


def test_channel_trace():
    model = design("ru_net")
    encoder = [f"encoder{channels}_relu" for channels in LEVELS] + ["bottom_relu"]
    assert channel_trace(model, encoder) == [(224, 64), (112, 128), (56, 256), (28, 512), (14, 1024)]
    masks = [f"attention{channels}_mask" for channels in LEVELS]
    assert channel_trace(model, masks) == [(224, 64), (112, 128), (56, 256), (28, 512)]
    joined = [f"concat{channels}" for channels in (512, 256, 128, 64)]
    assert channel_trace(model, joined) == [(28, 1024), (56, 512), (112, 256), (224, 128)]


def test_parameters_with_three_input_channels():
    """U-Net's 31,037,633 plus the additions, since no count was published."""
    unit = [(3, 64), (64, 128), (128, 256), (256, 512), (512, 1024), (1024, 512), (512, 256), (256, 128), (128, 64)]
    shortcuts = sum(inputs * filters + 2 * filters for inputs, filters in unit)
    attention = sum(9 * c * c + 2 * c + c * c + c for c in LEVELS)
    assert trainable_parameters(design("ru_net")) == 31_037_633 + shortcuts + attention == 35_920_833
    assert trainable_parameters(design("ru_net", attention=False)) == 31_037_633 + shortcuts


def test_attention_multiplies_values_by_a_factor_between_1_and_2():
    model = tiny("ru_net")
    names = ("encoder128_relu", "attention128_mask", "attention128_add")
    trunk, mask, kept = keras.Model(model.input, [model.get_layer(n).output for n in names])(disk_images()[0])
    assert 0 < np.min(mask) < np.max(mask) < 1
    np.testing.assert_allclose(kept, (1 + np.array(mask)) * np.array(trunk), rtol=1e-6)
    assert np.all(np.array(kept) >= np.array(trunk)) and np.all(np.array(kept) <= 2 * np.array(trunk))


def test_a_unit_with_zero_convolutions_equals_its_shortcut():
    model = tiny("ru_net")
    model.get_layer("decoder64_2_bn").gamma.assign(np.zeros(4))
    shortcut, unit = keras.Model(model.input, [model.get_layer(f"decoder64_{end}").output for end in (
        "shortcut_bn", "relu")])(disk_images()[0])  # fmt: skip
    np.testing.assert_array_equal(unit, np.maximum(shortcut, 0))


def test_attention_is_optional():
    model = tiny("ru_net", attention=False)
    check_output(model)
    assert not [layer for layer in model.layers if layer.name.startswith("attention")]


def test_contract(tmp_path):
    check_model("ru_net", tmp_path)
