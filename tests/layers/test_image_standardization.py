"""Standardisation of single pictures."""

import numpy as np
import pytest

from tfrespam.layers import ImageStandardization


def test_mean_0_and_variance_1_in_each_picture():
    contrasts = np.array([1, 0.1, 0.5], "float32").reshape(3, 1, 1, 1)
    pictures = contrasts * np.random.default_rng(0).random((3, 20, 30, 2), dtype="float32")
    outputs = np.array(ImageStandardization()(pictures))
    np.testing.assert_allclose(outputs.mean(axis=(1, 2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(outputs.std(axis=(1, 2, 3)), 1, atol=2e-3)
    np.testing.assert_allclose(outputs[1], (pictures[1] - pictures[1].mean()) / pictures[1].std(), rtol=1e-2, atol=1e-2)


def test_does_not_depend_on_brightness_and_contrast():
    picture = np.random.default_rng(0).random((1, 16, 16, 1), dtype="float32")
    layer = ImageStandardization()
    np.testing.assert_allclose(layer(0.5 * picture + 0.3), layer(picture), atol=1e-3)


@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
def test_a_constant_picture_becomes_zero(value, policy):
    outputs = np.array(ImageStandardization(dtype=policy)(np.full((1, 64, 64, 1), value, "float32")))
    np.testing.assert_allclose(outputs, 0, atol=1e-3)


def test_half_precision_rounds_only_the_result():
    """Grey values a ten-thousandth apart are one value in bfloat16, and must still be told apart."""
    picture = (0.75 + 1e-4 * np.random.default_rng(0).normal(size=(1, 32, 32, 1))).astype("float32")
    exact, rounded = ImageStandardization(1e-12)(picture), ImageStandardization(1e-12, dtype="mixed_bfloat16")(picture)
    assert rounded.dtype.name == "bfloat16"
    np.testing.assert_allclose(np.array(rounded, "float32"), exact, rtol=1e-2, atol=1e-2)
