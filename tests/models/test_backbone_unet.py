"""U-Net on EfficientNet-Lite0 or a network of keras.applications."""

import keras
import numpy as np
import pytest
from model_contract import channel_trace, check_model, design, tiny

from tfrespam.models.efficientnet_lite import STAGES

SMALL = {"decoder": (16, 16, 8, 8)}


def test_channel_trace():
    model = design("backbone_unet", 1)
    ends = ["block0_project_bn", "block2_add", "block4_add", "block10_add", "block15_project_bn"]
    assert channel_trace(model, ends) == [(112, 16), (56, 24), (28, 40), (14, 112), (7, 320)]
    joined = [f"join{stride}" for stride in (16, 8, 4, 2)]
    assert channel_trace(model, joined) == [(14, 320 + 112), (28, 64 + 40), (56, 48 + 24), (112, 32 + 16)]
    decoded = [f"decoder{stride}_relu" for stride in (16, 8, 4, 2)]
    assert channel_trace(model, decoded) == [(14, 64), (28, 48), (56, 32), (112, 16)]


def test_encoder_has_the_published_number_of_weights():
    """4.65 M with the classifier and the head convolution, which this encoder omits."""
    model = design("backbone_unet", 1)
    encoder = sum(int(np.prod(weight.shape)) for layer in model.layers if layer.name.startswith(("stem", "block"))
                  for weight in layer.trainable_weights)  # fmt: skip
    assert encoder + 320 * 1280 + 2 * 1280 + 1281 * 1000 == 4_652_008
    assert sum(blocks for _, _, blocks, _, _ in STAGES) == 16


def test_contract(tmp_path):
    check_model("backbone_unet", tmp_path, **SMALL)


def test_contract_with_an_encoder_of_keras_applications(tmp_path):
    check_model("backbone_unet", tmp_path, encoder="MobileNetV2", **SMALL)


@pytest.mark.parametrize("encoder", ["EfficientNetV2B0", "MobileNetV3Small", "EfficientNetB0", "ResNet50", "VGG16",
                                     "DenseNet121"])  # fmt: skip
def test_encoders_of_keras_applications_provide_every_stride(encoder):
    model = design("backbone_unet", 1, (64, 96), encoder=encoder)
    sides = [tuple(tensor.shape[1:3]) for tensor in model.get_layer(encoder.lower()).output]
    assert sides == [(32, 48), (16, 24), (8, 12), (4, 6), (2, 3)]
    assert ("as_bytes" in [layer.name for layer in model.layers]) == (encoder == "EfficientNetB0")


def test_weights_of_keras_applications_are_requested_by_name(monkeypatch):
    """A second network of the same kind stands in for the downloaded weights."""
    built = keras.applications.MobileNetV2
    donor = built(include_top=False, weights=None)

    def mobile_net(weights=None, input_shape=None, **options):
        return donor if weights == "imagenet" else built(weights=weights, input_shape=input_shape, **options)

    monkeypatch.setattr(keras.applications, "MobileNetV2", mobile_net)
    model = tiny("backbone_unet", encoder="MobileNetV2", weights="imagenet", **SMALL)
    for mine, theirs in zip(model.get_layer("mobilenetv2").weights, donor.weights, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_two_channels_are_projected_to_three():
    assert design("backbone_unet", 2).get_layer("colours").output.shape[-1] == 3
    assert design("backbone_unet", 3).get_layer("stem").input.shape[-1] == 3


@pytest.mark.parametrize(("options", "message"), [
    ({"encoder": "resnet"}, "efficientnet_lite0 or one of .*ResNet50.*Received: encoder='resnet'"),
    ({"encoder": "ConvNeXtTiny"}, "no feature maps at the strides"),
    ({"weights": "coco"}, "`weights` must be one of"),
    ({"weights": "imagenet"}, "require width=1. Received: width=0.0625"),
    ({"decoder": (8, 8)}, "must hold 4 numbers"),
])  # fmt: skip
def test_invalid_options_are_rejected(options, message):
    with pytest.raises(ValueError, match=message):
        tiny("backbone_unet", **options)
