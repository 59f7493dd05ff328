"""Baseline attention modules, each against its definition."""

import numpy as np
import pytest
from numpy_reference import channel_map, convolve, crc, sigmoid, spatial_map

from tfrespam.layers import PAM, GatedProjection


@pytest.fixture
def features():
    return np.random.default_rng(0).normal(size=(1, 9, 10, 8)).astype("float32")


def built(gates, features):
    layer = GatedProjection(gates, reduction=2)
    layer.build(features.shape)
    rng = np.random.default_rng(1)
    layer.set_weights([rng.uniform(0.2, 1, weight.shape) for weight in layer.weights])
    return layer, convolve(features[0], *layer.projection.get_weights())


def test_none_is_only_the_projection(features):
    layer, halved = built("none", features)
    np.testing.assert_allclose(layer(features)[0], halved, rtol=1e-5, atol=1e-5)


def test_se_weights_channels_by_their_mean(features):
    layer, halved = built("se", features)
    weights = layer.channel_gate.get_weights()
    gate = sigmoid(crc(halved.mean(axis=(0, 1)), weights[:2], weights[2:]))
    np.testing.assert_allclose(layer(features)[0], gate * halved, rtol=1e-5, atol=1e-5)


def test_scse_adds_both_products(features):
    layer, halved = built("scse", features)
    weights = layer.channel_gate.get_weights()
    by_channel = sigmoid(crc(halved.mean(axis=(0, 1)), weights[:2], weights[2:]))
    by_pixel = sigmoid(convolve(halved, *layer.spatial_gate.get_weights()))
    np.testing.assert_allclose(layer(features)[0], by_channel * halved + by_pixel * halved, rtol=1e-5, atol=1e-5)


def test_cbam_gates_pixels_of_the_gated_channels(features):
    layer, halved = built("cbam", features)
    unit = layer.spatial_gate.unit
    unit.normalization.set_weights([np.ones(1), np.zeros(1), np.zeros(1), np.full(1, 1 - 1e-5)])  # the identity
    weights = layer.channel_gate.get_weights()
    gated = channel_map(halved, weights[:2], weights[2:]) * halved
    expected = spatial_map(gated, unit.convolution.get_weights()[0]) * gated
    np.testing.assert_allclose(layer(features)[0], expected, rtol=1e-4, atol=1e-5)


def test_cbam_and_pam_differ_only_in_batch_normalisation_by_weights():
    cbam, pam = GatedProjection("cbam"), PAM()
    for layer in (cbam, pam):
        layer.build((None, 8, 8, 64))
    assert cbam.count_params() == pam.count_params() + 4


def test_unknown_gates_and_strides_without_projection_are_rejected():
    with pytest.raises(ValueError, match="`gates` must be one of"):
        GatedProjection("eca")
    with pytest.raises(ValueError, match="halve=True"):
        GatedProjection("se", halve=False, strides=2)
