import cv2
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from tfrespam.data.geometry.graph_components import components, dilate


@given(st.integers(0, 2**32 - 1), st.floats(0.05, 0.6))
@settings(max_examples=20)
def test_components_are_8_connected(seed, density):
    mask = np.random.default_rng(seed).random((23, 31)) < density
    pixels, first = components(tf.constant(mask))
    expected, count = ndimage.label(mask, np.ones((3, 3)))
    pairs = {*zip(first.numpy().tolist(), expected[tuple(pixels.numpy().T)].tolist(), strict=True)}
    assert len(pairs) == len(np.unique(first)) == count


@pytest.mark.parametrize("gap", [1, 2, 5, 8])
def test_dilation_matches_opencv(gap):
    mask = np.random.default_rng(gap).random((40, 30)) < 0.01
    reach = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (gap + 1 - gap % 2, gap + 1 - gap % 2))
    np.testing.assert_array_equal(dilate(tf.constant(mask), tf.constant(gap)), cv2.dilate(mask.astype(np.uint8), reach))
