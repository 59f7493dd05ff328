"""ResPAM and the residual module against equations (5) and (6)."""

import numpy as np
import pytest
from numpy_reference import bottleneck, pam

from tfrespam.layers import PAM, ResidualBottleneck, ResPAM


@pytest.fixture
def features():
    return np.random.default_rng(0).normal(size=(2, 9, 8, 6)).astype("float32")


def randomize(layer):
    """Random weights, with positive variances in batch normalisation."""
    rng = np.random.default_rng(1)
    for weight in layer.weights:
        positive = weight.path.endswith("variance")
        weight.assign(rng.uniform(0.2, 1, weight.shape) if positive else rng.normal(size=weight.shape, scale=0.5))


def parts(layer):
    """The residual module's units and shortcut as NumPy arrays."""
    units = [[np.array(w) for w in unit.weights] for unit in layer.units]
    return [_kernel_and_norm(unit) for unit in units], layer.shortcut and _kernel_and_norm(layer.shortcut.get_weights())


def _kernel_and_norm(weights):
    return sorted(weights, key=lambda w: -w.ndim)  # kernel, then gamma, beta, mean, variance in the layer's order


@pytest.mark.parametrize(("filters", "strides"), [(6, 1), (10, 1), (6, 2)])
def test_equation_5(features, filters, strides):
    layer = ResidualBottleneck(filters, 4, strides)
    layer.build(features.shape)
    randomize(layer)
    units, shortcut = parts(layer)
    assert (shortcut is None) == (filters == 6 and strides == 1)
    expected = [bottleneck(picture, units, shortcut, strides) for picture in features]
    np.testing.assert_allclose(layer(features), expected, atol=1e-5)


def test_equation_6_three_modules_then_pam(features):
    layer = ResPAM(8, strides=2)
    layer.build(features.shape)
    randomize(layer)
    expected = []
    for picture in features:
        for index, residual in enumerate(layer.residuals):
            picture = bottleneck(picture, *parts(residual), 2 if index == 0 else 1)
        attention = layer.attentions[0]
        order = [attention.projection, attention.channel_gate, attention.spatial_gate]
        expected.append(pam(picture, [weight for part in order for weight in part.get_weights()]))
    np.testing.assert_allclose(layer(features), expected, rtol=1e-4, atol=1e-5)


def test_literal_reading_is_the_default():
    layer = ResPAM(8)
    layer.build((None, 8, 8, 6))
    assert [(r.filters, r.inner_filters, r.strides) for r in layer.residuals] == [(16, 4, 1)] * 3
    assert isinstance(layer.attentions[0], PAM)
    assert layer.attentions[0].fusion == "add"


@pytest.mark.parametrize("fusion", ["concat", "add_and_restore"])
def test_other_fusions_keep_the_width_of_resnet(fusion):
    layer = ResPAM(8, attention_options={"fusion": fusion})
    layer.build((None, 8, 8, 6))
    assert [(r.filters, r.inner_filters) for r in layer.residuals] == [(8, 2)] * 3


@pytest.mark.parametrize(("downsampling", "where"), [
    ("residual", (2, 1, None)), ("max_pool", (1, 1, 2)), ("projection", (1, 2, None))])  # fmt: skip
def test_size_shrinks_where_it_is_told(features, downsampling, where):
    layer = ResPAM(4, strides=2, downsampling=downsampling)
    assert layer(features).shape == (2, 5, 4, 4)
    pool = layer.pool and layer.pool.pool_size[0]
    assert (layer.residuals[0].strides, layer.attentions[0].strides, pool) == where


def test_attention_after_each_module(features):
    layer = ResPAM(4, placement="module")
    assert layer(features).shape == (2, 9, 8, 4)
    assert len(layer.attentions) == 3


@pytest.mark.parametrize("attention", ["none", "se", "scse", "cbam"])
@pytest.mark.parametrize("fusion", ["add", "concat"])
def test_other_attentions_stand_at_the_same_place(features, attention, fusion):
    layer = ResPAM(4, attention=attention, attention_options={"fusion": fusion, "reduction": 2})
    assert layer(features).shape == (2, 9, 8, 4)
    assert [r.filters for r in layer.residuals] == [8 if fusion == "add" else 4] * 3
    assert (layer.attentions[0].projection is not None) == (fusion == "add")


@pytest.mark.parametrize("argument", ["attention", "placement", "downsampling"])
def test_refuses_unknown_values(argument):
    with pytest.raises(ValueError, match=f"`{argument}` must be one of"):
        ResPAM(4, **{argument: "elsewhere"})


def test_refuses_no_modules():
    with pytest.raises(ValueError, match="`modules` must be at least 1"):
        ResPAM(4, modules=0)
