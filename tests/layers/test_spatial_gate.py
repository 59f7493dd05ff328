"""The spatial gate against equation (3)."""

import numpy as np
from numpy_reference import spatial_map

from tfrespam.layers import SpatialGate


def random_gate(channels):
    gate, rng = SpatialGate(), np.random.default_rng(1)
    gate.build((None, None, None, channels))
    gate.set_weights([rng.normal(size=weight.shape, scale=0.5) for weight in gate.weights])
    return gate


def test_equation_3():
    features = np.random.default_rng(0).normal(size=(2, 9, 10, 4)).astype("float32")
    gate = random_gate(4)
    expected = [spatial_map(image, gate.get_weights()[0]) for image in features]
    np.testing.assert_allclose(gate(features), expected, atol=1e-5)


def test_spatial_gate_of_a_constant_map_is_constant_inside_the_padding_rim():
    gate = random_gate(4)
    weights = np.array(gate(np.ones((1, 12, 13, 4), "float32")))[0, ..., 0]
    assert np.ptp(weights[3:-3, 3:-3]) < 1e-6
    assert np.ptp(weights) > 1e-3
