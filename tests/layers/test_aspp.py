"""ASPP: receptive field and sum of the branches."""

import numpy as np
import pytest

from tfrespam.layers import ASPP


def response(rates, side=41):
    """Return the pixels that a single bright pixel in the middle of a map influences."""
    layer = ASPP(1, rates)
    layer.build((1, side, side, 1))
    for branch in layer.branches:
        branch.convolution.kernel.assign(np.ones((3, 3, 1, 1)))
    layer.fuse.convolution.kernel.assign(np.ones((1, 1, 1, 1)))
    image = np.zeros((1, side, side, 1), "float32")
    image[0, side // 2, side // 2] = 1
    return np.array(layer(image))[0, ..., 0]


def test_receptive_field_is_twice_the_largest_rate():
    seen = response((6, 12, 18, 1)) > 0
    offsets = np.argwhere(seen) - 20
    assert np.abs(offsets).max() == 18
    taps = {(y * rate, x * rate) for rate in (6, 12, 18, 1) for y in (-1, 0, 1) for x in (-1, 0, 1)}
    assert {tuple(offset) for offset in offsets.tolist()} == taps


def test_branches_are_added():
    together = response((1, 6))
    np.testing.assert_allclose(together, response((1,)) + response((6,)), rtol=1e-5)


def test_a_rate_larger_than_the_map_covers_no_neighbour():
    """At 224 x 224 the bottom map is 14 x 14: rate 18 is a 1x1 convolution there."""
    assert np.count_nonzero(response((18,), 15)) == 1


def test_rates_below_one_are_rejected():
    with pytest.raises(ValueError, match="`rates` must hold"):
        ASPP(4, rates=(0, 1))
