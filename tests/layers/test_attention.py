import pytest

from tfrespam.layers import PAM, GatedProjection
from tfrespam.layers.attention import ATTENTIONS, build_attention


@pytest.mark.parametrize("name", ATTENTIONS)
def test_attention_layers_are_built_by_name(name):
    layer = build_attention(name, {"reduction": 4}, strides=2, name="gate")
    assert type(layer) is (PAM if name == "pam" else GatedProjection)
    assert (layer.reduction, layer.strides, layer.name) == (4, 2, "gate")


@pytest.mark.parametrize(("fusion", "channels"), [("add", 4), ("concat", 8), ("add_and_restore", 8)])
def test_other_attention_layers_have_the_output_channels_of_pam(fusion, channels):
    for name in ATTENTIONS:
        layer = build_attention(name, {"fusion": fusion})
        assert layer.compute_output_shape((None, 6, 6, 8)) == (None, 6, 6, channels)
