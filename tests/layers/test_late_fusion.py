"""Late fusion against its definition in NumPy."""

import numpy as np
import pytest

from tfrespam.layers import LateFusion

RNG = np.random.default_rng(0)
IMAGES = RNG.uniform(0.1, 1, (3, 8, 8, 3)).astype("float32")
IMAGES[0, ..., 2] = 0  # one of two others is missing
IMAGES[1, ..., 1:] = 0  # both others are missing
FEATURES = [RNG.normal(size=(3, 2, 2, 4)).astype("float32") for _ in range(3)]


@pytest.mark.parametrize("aligned", [True, False])
def test_present_images_are_averaged(aligned):
    fused = np.array(LateFusion(aligned)([IMAGES, *FEATURES]))
    first, *others = FEATURES if aligned else [FEATURES[0], *(np.broadcast_to(f.mean((1, 2), keepdims=True), f.shape)
                                                              for f in FEATURES[1:])]  # fmt: skip
    np.testing.assert_array_equal(fused[..., :4], first)
    np.testing.assert_allclose(fused[0, ..., 4:8], others[0][0], atol=1e-6)
    np.testing.assert_array_equal(fused[1, ..., 4:8], 0)
    np.testing.assert_allclose(fused[2, ..., 4:8], (others[0][2] + others[1][2]) / 2, atol=1e-6)
    np.testing.assert_array_equal(fused[..., 8], [np.ones((2, 2)), np.zeros((2, 2)), np.ones((2, 2))])


def test_features_of_a_missing_image_are_ignored():
    changed = [FEATURES[0], FEATURES[1], FEATURES[2].copy()]
    changed[2][0] += 100
    layer = LateFusion()
    np.testing.assert_array_equal(layer([IMAGES, *changed])[0], layer([IMAGES, *FEATURES])[0])


def test_a_single_image_has_zero_mean_and_flag():
    fused = np.array(LateFusion()([IMAGES[..., :1], FEATURES[0]]))
    np.testing.assert_array_equal(fused[..., :4], FEATURES[0])
    assert not fused[..., 4:].any()


def test_config_and_shape():
    layer = LateFusion(True, name="meeting")
    again = LateFusion.from_config(layer.get_config())
    assert (again.aligned, again.name) == (True, "meeting")
    assert layer.compute_output_shape([(None, 8, 8, 3), *[(None, 2, 2, 4)] * 3]) == (None, 2, 2, 9)
