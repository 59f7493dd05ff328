"""The channel gate against equation (2)."""

import numpy as np
import pytest
from numpy_reference import channel_map

from tfrespam.layers import ChannelGate


@pytest.fixture
def features():
    return np.random.default_rng(0).normal(size=(2, 9, 10, 8)).astype("float32")


def random_gate(channels, **options):
    gate, rng = ChannelGate(**options), np.random.default_rng(1)
    gate.build((None, None, None, channels))
    gate.set_weights([rng.normal(size=weight.shape, scale=0.5) for weight in gate.weights])
    return gate


def test_equation_2(features):
    gate = random_gate(8, reduction=2)
    reduce, expand = gate.get_weights()[:2], gate.get_weights()[2:]
    expected = [channel_map(image, reduce, expand) for image in features]
    np.testing.assert_allclose(np.asarray(gate(features))[:, 0, 0], expected, atol=1e-5)


def test_channel_gate_ignores_pixel_positions(features):
    gate = random_gate(4)
    halved = features[..., :4]
    pixels = halved.reshape(2, -1, 4)[:, np.random.default_rng(2).permutation(90)]
    np.testing.assert_allclose(gate(pixels.reshape(halved.shape)), gate(halved), atol=1e-6)


@pytest.mark.parametrize(("options", "message"), [({"reduction": 0}, "reduction"), ({"descriptors": ()}, "descriptors"),
                                                  ({"descriptors": ("median",)}, "median")])  # fmt: skip
def test_wrong_arguments_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        ChannelGate(**options)
