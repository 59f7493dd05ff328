"""Pixel shuffle."""

import numpy as np
import pytest

from tfrespam.layers import PixelShuffle


def test_every_channel_moves_to_its_documented_pixel():
    inputs = np.random.default_rng(0).random((2, 3, 4, 8), dtype="float32")
    outputs = np.array(PixelShuffle()(inputs))
    for i in (0, 1):
        for j in (0, 1):
            np.testing.assert_array_equal(outputs[:, i::2, j::2], inputs[..., 2 * (2 * i + j):2 * (2 * i + j) + 2])


def test_channels_not_divisible_by_four_are_rejected():
    with pytest.raises(ValueError, match="multiple of 4"):
        PixelShuffle().build((None, 4, 4, 6))
