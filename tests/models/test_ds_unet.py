"""DS U-Net: gated skips that are added, six auxiliary maps."""

import numpy as np
from model_contract import (
    channel_trace,
    check_model,
    check_output,
    check_training_step,
    design,
    disk_images,
    tiny,
    trainable_parameters,
)

SIDES = ["boundary1", "boundary2", "boundary3", "mask1", "mask2", "mask3"]


def test_channel_trace():
    model = design("ds_unet")
    encoder = [f"encoder{channels}_2_relu" for channels in (64, 128, 256, 512)] + ["bottom_2_relu"]
    assert channel_trace(model, encoder) == [(224, 64), (112, 128), (56, 256), (28, 512), (14, 1024)]
    added = [f"decoder{channels}_add" for channels in (512, 256, 128, 64)]
    assert channel_trace(model, added) == [(28, 512), (56, 256), (112, 128), (224, 64)]
    assert channel_trace(model, [*SIDES, "fused"]) == [(224, 1)] * 6 + [(224, 70)]
    boundaries = [model.get_layer(f"boundary{n}_conv").input for n in (1, 2, 3)]
    assert boundaries == [model.get_layer(f"encoder{channels}_2_relu").output for channels in (128, 256, 512)]


def test_parameters_with_three_input_channels():
    """31.62 M in the authors' code, whose convolutions before batch normalisation have a bias."""
    model = design("ds_unet")
    biases = sum(layer.output.shape[-1] for layer in model.layers if layer.name.endswith("_bn"))
    assert trainable_parameters(model) == 31_609_223
    assert trainable_parameters(model) + biases == 31_616_077


def test_auxiliary_maps_are_optional_outputs():
    assert set(tiny("ds_unet").output) == {"probability", *SIDES}
    plain = tiny("ds_unet", side_outputs=False)
    check_output(plain)
    check_training_step(plain)


def test_auxiliary_maps_are_not_negative_and_contribute_to_the_output():
    model = tiny("ds_unet")
    outputs = model(disk_images()[0])
    assert all(np.min(outputs[name]) >= 0 for name in SIDES)
    assert all(np.max(outputs[name]) > 0 for name in SIDES)
    kernel = model.get_layer("logits").kernel
    kernel.assign(np.where(np.arange(kernel.shape[2])[:, None] >= kernel.shape[2] - 6, 1.0, 0.0)[None, None])
    total = sum(np.array(outputs[name]) for name in SIDES)
    np.testing.assert_allclose(model(disk_images()[0])["probability"], 1 / (1 + np.exp(-total)), atol=1e-5)


def test_channel_weights_are_between_0_and_1():
    model = tiny("ds_unet", reduction=2)
    gates = [layer for layer in model.layers if layer.name.endswith("_gate")]
    assert len(gates) == 8
    for gate in gates:
        weights = np.array(gate(np.random.default_rng(0).random((2, 4, 4, gate.input.shape[-1]), dtype="float32")))
        assert 0 < weights.min() < weights.max() < 1


def test_contract(tmp_path):
    check_model("ds_unet", tmp_path)
