"""Per-image standardisation."""

import numpy as np
import pytest

from tfrespam.layers import ImageStandardization


def test_mean_0_and_variance_1_in_each_image():
    contrasts = np.array([1, 0.1, 0.5], "float32").reshape(3, 1, 1, 1)
    images = contrasts * np.random.default_rng(0).random((3, 20, 30, 2), dtype="float32")
    outputs = np.array(ImageStandardization()(images))
    np.testing.assert_allclose(outputs.mean(axis=(1, 2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(outputs.std(axis=(1, 2, 3)), 1, atol=2e-3)
    np.testing.assert_allclose(outputs[1], (images[1] - images[1].mean()) / images[1].std(), rtol=1e-2, atol=1e-2)


def test_result_is_invariant_to_brightness_and_contrast():
    image = np.random.default_rng(0).random((1, 16, 16, 1), dtype="float32")
    layer = ImageStandardization()
    np.testing.assert_allclose(layer(0.5 * image + 0.3), layer(image), atol=1e-3)


@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
def test_a_constant_image_becomes_zero(value, policy):
    outputs = np.array(ImageStandardization(dtype=policy)(np.full((1, 64, 64, 1), value, "float32")))
    np.testing.assert_allclose(outputs, 0, atol=1e-3)


def test_half_precision_rounds_only_the_result():
    """Grey values 1e-4 apart are equal in bfloat16; the layer must still distinguish them."""
    image = (0.75 + 1e-4 * np.random.default_rng(0).normal(size=(1, 32, 32, 1))).astype("float32")
    exact, rounded = ImageStandardization(1e-12)(image), ImageStandardization(1e-12, dtype="mixed_bfloat16")(image)
    assert rounded.dtype.name == "bfloat16"
    np.testing.assert_allclose(np.array(rounded, "float32"), exact, rtol=1e-2, atol=1e-2)
