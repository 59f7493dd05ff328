"""PAM against equations (1) to (4) and against its variants."""

import keras
import numpy as np
import pytest
from keras import ops
from numpy_reference import pam

from tfrespam.layers import PAM, ChannelGate, ConvUnit, SpatialGate


@pytest.fixture
def features():
    return np.random.default_rng(0).normal(size=(2, 9, 10, 8)).astype("float32")


def random_pam(channels=8, **options):
    layer = PAM(**options)
    layer.build((None, None, None, channels))
    rng = np.random.default_rng(1)
    layer.set_weights([rng.normal(size=weight.shape, scale=0.5) for weight in layer.weights])
    return layer


def test_equations_1_to_4(features):
    layer = random_pam(reduction=2)
    expected = [pam(image, layer.get_weights()) for image in features]
    np.testing.assert_allclose(layer(features), expected, atol=1e-5)


def test_is_channel_gate_plus_spatial_gate_of_the_projection(features):
    layer = random_pam()
    halved = layer.projection(features)
    channel_gate, spatial_gate, projection = ChannelGate(), SpatialGate(), ConvUnit(4, 1)
    for own, part, inputs in ((projection, layer.projection, features), (channel_gate, layer.channel_gate, halved),
                              (spatial_gate, layer.spatial_gate, halved)):
        own.build(inputs.shape)
        own.set_weights(part.get_weights())
    halved = projection(features)
    composed = channel_gate(halved) * halved + spatial_gate(halved) * halved
    np.testing.assert_allclose(layer(features), composed, atol=1e-5)


def test_zero_attention_weights_leave_the_projection(features):
    layer = random_pam()
    for part in (layer.channel_gate, layer.spatial_gate):
        part.set_weights([np.zeros(weight.shape) for weight in part.weights])
    np.testing.assert_allclose(layer(features), layer.projection(features), atol=1e-6)


def test_gain_is_between_0_and_2(features):
    layer = random_pam()
    gain = np.array(layer(features)) / np.array(layer.projection(features))
    assert gain.min() > 0
    assert gain.max() < 2
    assert gain.max() - gain.min() > 0.1


@pytest.mark.parametrize(("fusion", "channels"), [("add", 4), ("concat", 8), ("add_and_restore", 8)])
def test_number_of_output_channels(features, fusion, channels):
    assert PAM(fusion=fusion)(features).shape == (2, 9, 10, channels)


def test_concatenated_branches_sum_to_the_fused_map(features):
    added, stacked = random_pam(), random_pam(fusion="concat")
    stacked.set_weights(added.get_weights())
    by_channel, by_pixel = ops.split(stacked(features), 2, axis=-1)
    np.testing.assert_allclose(by_channel + by_pixel, added(features), atol=1e-6)


def test_restore_is_a_convolution_of_the_added_branches(features):
    added, restored = random_pam(), random_pam(fusion="add_and_restore")
    restored.set_weights([*added.get_weights(), *restored.restore.get_weights()])
    np.testing.assert_allclose(restored(features), restored.restore(added(features)), atol=1e-5)


@pytest.mark.parametrize(("kind", "shape"), [("scalar", ()), ("channel", (4,))])
def test_fusion_weights_start_at_1_and_scale_the_branches(features, kind, shape):
    plain, weighted = random_pam(), PAM(fusion_weights=kind)
    weighted.build(features.shape)
    assert weighted.alpha.shape == weighted.beta.shape == shape
    for name in ("projection", "channel_gate", "spatial_gate"):
        getattr(weighted, name).set_weights(getattr(plain, name).get_weights())
    np.testing.assert_allclose(weighted(features), plain(features), atol=1e-6)
    weighted.alpha.assign(np.zeros(shape))
    halved = plain.projection(features)
    np.testing.assert_allclose(weighted(features), plain.spatial_gate(halved) * halved, atol=1e-6)


def test_unshared_crc_has_separate_weights_for_mean_and_max(features):
    shared, unshared = random_pam(), random_pam(shared_crc=False)
    assert len(unshared.channel_gate.weights) == 2 * len(shared.channel_gate.weights)


def test_inner_width_is_at_least_one():
    gate = ChannelGate(reduction=16)
    gate.build((None, 4, 4, 2))
    assert gate.reduce[0].filters == 1


def test_float16_does_not_overflow_on_a_large_bright_map():
    outputs = PAM(dtype="mixed_float16")(np.full((1, 256, 256, 2), 100.0))
    assert np.all(np.isfinite(np.array(outputs)))


def test_xla_gives_the_same_result(features):
    inputs = keras.Input(features.shape[1:])
    model = keras.Model(inputs, random_pam()(inputs))
    plain = model.predict(features, verbose=0)
    model.compile(jit_compile=True)
    np.testing.assert_allclose(model.predict(features, verbose=0), plain, atol=1e-5)


@pytest.mark.parametrize(("options", "message"), [
    ({"fusion": "mul"}, "`fusion` must be one of"), ({"fusion_weights": "yes"}, "`fusion_weights` must be one of"),
    ({"reduction": 0}, "`reduction` must be at least 1")])  # fmt: skip
def test_unknown_values_are_rejected(options, message):
    with pytest.raises(ValueError, match=message):
        PAM(**options).build((None, 8, 8, 8))


def test_an_odd_number_of_channels_is_rejected():
    with pytest.raises(ValueError, match="even number"):
        PAM().build((None, 8, 8, 7))
