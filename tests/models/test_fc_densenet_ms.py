"""Multi-scale FC-DenseNet: dense blocks with concatenation, several dilation rates at the bottom."""

import keras
import numpy as np
import pytest
from model_contract import channel_trace, check_model, design, disk_images, tiny, trainable_parameters

from tfrespam.models.fc_densenet_ms import _shares

LEVELS = (64, 128, 256, 512)


def test_channel_trace():
    model = design("fc_densenet_ms")
    new = [f"encoder{channels}_new" for channels in LEVELS]
    assert channel_trace(model, new) == [(224, 64), (112, 128), (56, 256), (28, 512)]
    handed_on = [f"encoder{channels}" for channels in LEVELS]
    assert channel_trace(model, handed_on) == [(224, 128), (112, 192), (56, 384), (28, 768)]
    down = [f"down{channels}_dropout" for channels in LEVELS]
    assert channel_trace(model, down) == [(112, 64), (56, 128), (28, 256), (14, 512)]
    assert channel_trace(model, ["scales_concat", "scales"]) == [(14, 5 * 512), (14, 512)]
    joined = [f"concat{channels}" for channels in (512, 256, 128, 64)]
    assert channel_trace(model, joined) == [(28, 1280), (56, 640), (112, 320), (224, 192)]


def test_parameters_with_three_input_channels():
    """Compared with a count by hand, since no count was published."""

    def dense(inputs, filters):  # four layers with a quarter of the channels each, batch normalisation first
        seen = [inputs + filters // 4 * index for index in range(4)]
        return sum(2 * channels + (9 * channels + 1) * filters // 4 for channels in seen)

    count, features, skips = 9 * 3 * 64, 64, []
    for filters in LEVELS:
        count += dense(features, filters)
        skips.append(features + filters)
        count += 2 * skips[-1] + (9 * skips[-1] + 1) * filters
        features = filters
    count += (512 + 1) * 512 + 3 * (9 * 512 + 1) * 512 + (5 * 512 + 1) * 512
    for filters in reversed(LEVELS):
        count += (9 * features + 1) * filters + dense(filters + skips.pop(), filters)
        features = filters
    assert trainable_parameters(design("fc_densenet_ms")) == count + features + 1 == 29_104_641


def test_each_layer_of_a_block_receives_all_earlier_maps():
    model = tiny("fc_densenet_ms")
    seen = model.get_layer("decoder128_4_seen").input
    expected = ["concat128", *(f"decoder128_{index}_dropout" for index in (1, 2, 3))]
    assert all(a is model.get_layer(name).output for a, name in zip(seen, expected, strict=True))


@pytest.mark.parametrize("rate", [6, 12, 18])
def test_each_dilation_rate_has_its_exact_receptive_field(rate):
    layer = design("fc_densenet_ms").get_layer(f"scale_{rate}")
    alone = keras.layers.Conv2D.from_config({**layer.get_config(), "filters": 1, "kernel_initializer": "ones"})
    point = np.zeros((1, 41, 41, 1), "float32")
    point[0, 20, 20] = 1
    reached = np.argwhere(np.array(alone(point))[0, ..., 0])
    assert sorted({abs(y - 20) for y, _ in reached}) == [0, rate] and len(reached) == 9


def test_rates_can_be_chosen():
    model = tiny("fc_densenet_ms", rates=(2,), layers_per_block=3)
    assert len(model.get_layer("scales_concat").input) == 3
    assert len(model.get_layer("encoder64_new").input) == 3


@pytest.mark.parametrize("filters, count", [(64, 4), (10, 4), (2, 4), (7, 3)])
def test_channels_of_a_block_are_divided_among_its_layers(filters, count):
    shares = _shares(filters, count)
    assert len(shares) == count and min(shares) >= 1 and sum(shares) == max(filters, count)
    assert max(shares) - min(shares) <= 1


def test_dropout_is_active_only_in_training():
    model, (images, _) = tiny("fc_densenet_ms"), disk_images()
    np.testing.assert_array_equal(model(images, training=False), model(images, training=False))
    assert np.any(np.array(model(images, training=True)) != np.array(model(images, training=True)))


def test_contract(tmp_path):
    check_model("fc_densenet_ms", tmp_path)
