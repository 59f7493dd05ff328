"""Connected-UNets: two U-Nets with ASPP, connected at every level."""

from model_contract import channel_trace, check_model, check_output, design, tiny, trainable_parameters

from tfrespam.layers import ASPP


def test_channel_trace():
    model = design("connected_unets")
    for net in ("first", "second"):
        encoder = [f"{net}_encoder{channels}_2_bn" for channels in (32, 64, 128, 256)]
        assert channel_trace(model, encoder) == [(224, 32), (112, 64), (56, 128), (28, 256)]
        assert channel_trace(model, [f"{net}_bottom"]) == [(14, 512)]
        joined = [f"{net}_concat{channels}" for channels in (256, 128, 64, 32)]
        assert channel_trace(model, joined) == [(28, 512), (56, 256), (112, 128), (224, 64)]
    connected = [f"second_connect{channels}" for channels in (32, 64, 128, 256)]
    assert channel_trace(model, connected) == [(224, 64), (112, 128), (56, 256), (28, 512)]
    assert channel_trace(model, ["last"]) == [(224, 32)]


def test_parameters_with_three_input_channels():
    """20.04 M in the released code, whose ASPP convolutions before batch normalisation have a bias."""
    model = design("connected_unets")
    biases = sum(4 * layer.filters for layer in model.layers if isinstance(layer, ASPP))
    assert trainable_parameters(model) == 20_032_321
    assert trainable_parameters(model) + biases == 20_036_545


def test_second_encoder_receives_the_first_decoder():
    model = design("connected_unets")
    for channels in (32, 64, 128, 256):
        decoded = model.get_layer(f"first_decoder{channels}_2_bn").output
        assert model.get_layer(f"second_connect{channels}").input[1] is decoded


def test_aspp_between_the_networks_is_optional():
    model = tiny("connected_unets", aspp_between=True)
    check_output(model)
    assert model.get_layer("second_connect32").input[1] is model.get_layer("between").output
    assert model.get_layer("second_enter32").input is model.get_layer("between").output


def test_contract(tmp_path):
    check_model("connected_unets", tmp_path)
