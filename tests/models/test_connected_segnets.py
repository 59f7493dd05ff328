"""Connected-SegNets: two SegNets, connected at every level."""

from model_contract import channel_trace, check_model, design, trainable_parameters


def test_channel_trace():
    model = design("connected_segnets")
    first = [f"first_decoder{level}_3_relu" for level in (5, 4, 3, 2)]
    assert channel_trace(model, first) == [(14, 512), (28, 256), (56, 128), (112, 64)]
    joined = [f"second_connect{level}" for level in (2, 3, 4, 5)]
    assert channel_trace(model, joined) == [(112, 64 + 64), (56, 128 + 128), (28, 256 + 256), (14, 512 + 512)]
    ends = ["first_unpool1", "second_encoder1_3_relu", "second_unpool1", "head_2_relu"]
    assert channel_trace(model, ends) == [(224, 64)] * 4


def test_parameters_with_three_input_channels():
    """63.16 M in the third-party implementation, whose convolutions before batch normalisation have a bias."""
    model = design("connected_segnets")
    biases = sum(layer.output.shape[-1] for layer in model.layers if layer.name.endswith("_bn"))
    assert trainable_parameters(model) == 63_145_345
    assert trainable_parameters(model) + biases == 63_161_537


def test_second_network_unpools_by_its_own_indices():
    model = design("connected_segnets")
    for net in ("first", "second"):
        for level in range(1, 6):
            places = model.get_layer(f"{net}_unpool{level}").input[1]
            assert places is model.get_layer(f"{net}_pool{level}").output[1]


def test_each_level_of_the_second_encoder_receives_the_first_decoder():
    model = design("connected_segnets")
    for level in range(2, 6):
        pooled, decoded = model.get_layer(f"second_connect{level}").input
        assert pooled is model.get_layer(f"second_pool{level - 1}").output[0]
        assert decoded is model.get_layer(f"first_decoder{level}_3_relu").output


def test_contract(tmp_path):
    check_model("connected_segnets", tmp_path)
