"""The residual bottleneck against equation (5)."""

import numpy as np
import pytest
from numpy_reference import bottleneck, parts, randomize

from tfrespam.layers import ResidualBottleneck


@pytest.fixture
def features():
    return np.random.default_rng(0).normal(size=(2, 9, 8, 6)).astype("float32")


@pytest.mark.parametrize(("filters", "strides"), [(6, 1), (10, 1), (6, 2)])
def test_equation_5(features, filters, strides):
    layer = ResidualBottleneck(filters, 4, strides)
    layer.build(features.shape)
    randomize(layer)
    units, shortcut = parts(layer)
    assert (shortcut is None) == (filters == 6 and strides == 1)
    expected = [bottleneck(image, units, shortcut, strides) for image in features]
    np.testing.assert_allclose(layer(features), expected, atol=1e-5)
