"""U-Net: channel counts and parameter counts of the paper."""

import pytest
from model_contract import channel_trace, check_model, design, tiny, trainable_parameters

from tfrespam.models.blocks import without_sides


def test_channel_trace():
    model = design("unet")
    encoder = [f"encoder{channels}_2_relu" for channels in (64, 128, 256, 512)] + ["bottom_2_relu"]
    assert channel_trace(model, encoder) == [(224, 64), (112, 128), (56, 256), (28, 512), (14, 1024)]
    joined = [f"concat{channels}" for channels in (512, 256, 128, 64)]
    assert channel_trace(model, joined) == [(28, 1024), (56, 512), (112, 256), (224, 128)]
    assert model.output_shape == (None, 224, 224, 1)


@pytest.mark.parametrize(("width", "batch_normalization", "count"), [
    (1.0, False, 31_031_745), (1.0, True, 31_037_633), (0.5, False, 7_760_097), (0.5, True, 7_763_041)])  # fmt: skip
def test_parameters_with_three_input_channels(width, batch_normalization, count):
    model = design("unet", width=width, batch_normalization=batch_normalization)
    assert trainable_parameters(model) == count


@pytest.mark.parametrize("batch_normalization", [True, False])
def test_contract(tmp_path, batch_normalization):
    check_model("unet", tmp_path, batch_normalization=batch_normalization)


def test_batch_normalisation_is_optional():
    assert not [layer for layer in tiny("unet", batch_normalization=False).layers if layer.name.endswith("_bn")]


def test_auxiliary_outputs_are_the_lower_levels_of_the_decoder():
    model = design("unet", side_outputs=True)
    assert model.output_names == ["mask1", "mask2", "mask3", "probability"]
    assert all(output.shape == (None, 224, 224, 1) and output.dtype == "float32" for output in model.outputs)
    for index, channels in enumerate((512, 256, 128), 1):
        assert model.get_layer(f"mask{index}_conv").input is model.get_layer(f"decoder{channels}_2_relu").output


def test_auxiliary_outputs_and_their_layers_can_be_removed():
    model, plain = design("unet", side_outputs=True), design("unet")
    assert [w.shape for w in without_sides(model).weights] == [w.shape for w in plain.weights]
    assert trainable_parameters(model) - trainable_parameters(plain) == 512 + 256 + 128 + 3


def test_contract_with_auxiliary_outputs(tmp_path):
    check_model("unet", tmp_path, side_outputs=True)
