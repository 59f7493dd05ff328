"""ResPAM against equation (6)."""

import numpy as np
import pytest
from numpy_reference import bottleneck, pam, parts, randomize

from tfrespam.layers import PAM, ResPAM


@pytest.fixture
def features():
    return np.random.default_rng(0).normal(size=(2, 9, 8, 6)).astype("float32")


def test_equation_6_three_modules_then_pam(features):
    layer = ResPAM(8, strides=2)
    layer.build(features.shape)
    randomize(layer)
    expected = []
    for image in features:
        for index, residual in enumerate(layer.residuals):
            image = bottleneck(image, *parts(residual), 2 if index == 0 else 1)
        attention = layer.attentions[0]
        order = [attention.projection, attention.channel_gate, attention.spatial_gate]
        expected.append(pam(image, [weight for part in order for weight in part.get_weights()]))
    np.testing.assert_allclose(layer(features), expected, rtol=1e-4, atol=1e-5)


def test_default_configuration_follows_the_paper_literally():
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
def test_downsampling_happens_in_the_chosen_layer(features, downsampling, where):
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
def test_other_attention_modules_replace_pam(features, attention, fusion):
    layer = ResPAM(4, attention=attention, attention_options={"fusion": fusion, "reduction": 2})
    assert layer(features).shape == (2, 9, 8, 4)
    assert [r.filters for r in layer.residuals] == [8 if fusion == "add" else 4] * 3
    assert (layer.attentions[0].projection is not None) == (fusion == "add")


@pytest.mark.parametrize("argument", ["attention", "placement", "downsampling"])
def test_unknown_values_are_rejected(argument):
    with pytest.raises(ValueError, match=f"`{argument}` must be one of"):
        ResPAM(4, **{argument: "elsewhere"})


def test_zero_modules_are_rejected():
    with pytest.raises(ValueError, match="`modules` must be at least 1"):
        ResPAM(4, modules=0)
