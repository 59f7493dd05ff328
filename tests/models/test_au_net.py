"""AUNet: residual encoder, dense upsampling, channel attention."""

from model_contract import channel_trace, check_model, design, trainable_parameters


def test_channel_trace():
    model = design("au_net")
    encoder = [f"encoder{channels}_relu" for channels in (64, 128, 256, 512)] + ["bottom_relu"]
    assert channel_trace(model, encoder) == [(224, 64), (112, 128), (56, 256), (28, 512), (14, 1024)]
    dense = [f"decoder{channels}_dense_relu" for channels in (512, 256, 128, 64)]
    assert channel_trace(model, dense) == [(14, 2048), (28, 1024), (56, 512), (112, 256)]
    shuffled = [f"decoder{channels}_shuffle" for channels in (512, 256, 128, 64)]
    assert channel_trace(model, shuffled) == [(28, 512), (56, 256), (112, 128), (224, 64)]
    joined = [f"decoder{channels}_concat" for channels in (512, 256, 128, 64)]
    assert channel_trace(model, joined) == [(28, 1024), (56, 512), (112, 256), (224, 128)]


def test_parameters_with_three_input_channels():
    """75.50 M in the authors' code, with a bias before each batch normalisation and a second output class."""
    model = design("au_net")
    biases = sum(layer.output.shape[-1] for layer in model.layers if layer.name.endswith("_bn"))
    assert trainable_parameters(model) == 75_481_465
    assert trainable_parameters(model) + biases + 65 == 75_495_162


def test_skip_is_added_only_to_the_dense_branch():
    model = design("au_net")
    for channels in (512, 256, 128, 64):
        shuffled, skip = model.get_layer(f"decoder{channels}_join").input
        assert shuffled is model.get_layer(f"decoder{channels}_shuffle").output
        assert skip is model.get_layer(f"encoder{channels}_relu").output


def test_contract(tmp_path):
    check_model("au_net", tmp_path)
