"""U-Net on ResNet-50, the control."""

from model_contract import channel_trace, check_model, design, trainable_parameters


def test_channel_counts_match_respam_unet():
    names = ["stem_relu", "stage1", "stage2", "stage3", "stage4", "decoder512_concat", "decoder64_2_relu", "logits"]
    model = design("resnet50_unet")
    assert channel_trace(model, names) == channel_trace(design("respam_unet"), names)
    assert [len(model.get_layer(f"stage{n}").residuals) for n in (1, 2, 3, 4)] == [3, 4, 6, 3]


def test_parameters_with_three_input_channels():
    """43.93 M in total; the encoder is ResNet-50 without its classifier."""
    model = design("resnet50_unet")
    encoder = [layer for layer in model.layers if layer.name.startswith("st")]
    assert trainable_parameters(model) == 43_932_801
    assert sum(trainable_parameters(layer) for layer in encoder) == 25_557_032 - 2_049_000 == 23_508_032


def test_network_has_no_attention():
    for stage in (1, 2, 3, 4):
        attention = design("resnet50_unet").get_layer(f"stage{stage}").attentions[0]
        assert attention.weights == []


def test_contract(tmp_path):
    check_model("resnet50_unet", tmp_path)
