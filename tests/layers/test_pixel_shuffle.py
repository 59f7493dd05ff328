"""Channels into pixels."""

import numpy as np
import pytest

from tfrespam.layers import PixelShuffle


def test_every_channel_lands_where_the_docstring_says():
    inputs = np.random.default_rng(0).random((2, 3, 4, 8), dtype="float32")
    outputs = np.array(PixelShuffle()(inputs))
    for i in (0, 1):
        for j in (0, 1):
            np.testing.assert_array_equal(outputs[:, i::2, j::2], inputs[..., 2 * (2 * i + j):2 * (2 * i + j) + 2])


def test_refuses_channels_that_do_not_divide_by_four():
    with pytest.raises(ValueError, match="multiple of 4"):
        PixelShuffle().build((None, 4, 4, 6))
