import numpy as np
import pytest
import tensorflow as tf

from tfrespam.data.loading.augment import intensity

IMAGES = np.random.default_rng(0).random((3, 20, 30, 1)).astype(np.float32)


def test_gamma_is_the_exponent_of_clipped_grey_values():
    exponents = np.float32([0.5, 1.0, 2.0])
    found = intensity.Gamma(0.5).apply(tf.constant(exponents), IMAGES * 1.5 - 0.2)
    expected = np.clip(IMAGES * 1.5 - 0.2, 0, 1) ** exponents[:, None, None, None]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


def test_contrast_scales_about_the_mean_of_each_image():
    factors = np.float32([0.8, 1.0, 1.3])
    found = intensity.Contrast(0.5).apply(tf.constant(factors), IMAGES)
    means = IMAGES.mean((1, 2, 3), keepdims=True)
    np.testing.assert_allclose(found, means + factors[:, None, None, None] * (IMAGES - means), rtol=0, atol=1e-6)


def test_noise_has_the_requested_deviation_and_differs_between_images():
    noise = intensity.Noise(0.05)
    seeds = noise.draw(tf.constant([[0.1, 0.2], [0.1, 0.2], [0.3, 0.2]]))
    added = noise.apply(seeds, np.full((3, 64, 64, 1), 0.5, np.float32)) - 0.5
    np.testing.assert_array_equal(added[0], added[1])
    assert np.std(added[0]) == pytest.approx(0.05, rel=0.05) and abs(np.mean(added[0])) < 0.005
    assert abs(np.corrcoef(np.ravel(added[0]), np.ravel(added[2]))[0, 1]) < 0.06


@pytest.mark.parametrize(("transform", "low", "high"), [(intensity.Gamma(0.25), 0.8, 1.25),
                                                        (intensity.Contrast(0.2), 0.8, 1.2)])  # fmt: skip
def test_draws_cover_their_range(transform, low, high):
    drawn = transform.draw(tf.linspace(-1.0, 1.0, 101)[:, None]).numpy()
    assert drawn.min() == pytest.approx(low) and drawn.max() == pytest.approx(high)
