"""U-Net with a pretrained encoder: EfficientNet-Lite0 or a network of keras.applications.

The encoder's feature maps at strides 2 to 32 are upsampled and concatenated level by level as in U-Net (Ronneberger et
al., MICCAI 2015, doi 10.1007/978-3-319-24574-4_28), with one 3x3 convolution a level. The mask is predicted at stride 2
and upsampled: a level at full resolution would need as much computation as all others together, and would move the
outline by less than a pixel.
"""

import inspect

import keras
from keras import layers

from tfrespam.models.blocks import check_choice, image_input, scaled, side_mask, upsample
from tfrespam.models.efficientnet_lite import efficientnet_lite0
from tfrespam.models.imagenet import load_efficientnet_lite0

WEIGHTS = ("none", "imagenet")
OWN = "efficientnet_lite0"
_STRIDES = (2, 4, 8, 16, 32)
_MEAN, _DEVIATION = 0.449, 0.226  # mean and standard deviation of ImageNet's grey values


def backbone_unet(input_shape, width=1.0, *, normalization="none", encoder=OWN, weights="none",
                  decoder=(64, 48, 32, 16)):  # fmt: skip
    """Build a U-Net on a pretrained encoder.

    Args:
        input_shape: (height, width, channels), sides multiples of 32.
        width: Factor on every channel count; for networks of keras.applications only on the decoder's.
        normalization: "none", "standardize" (mean 0 and variance 1 of each image) or "local_contrast" (that, and the
            local contrast around each pixel as further channels); ImageNet weights expect "standardize".
        encoder: "efficientnet_lite0", or the name of a network of keras.applications, such as "MobileNetV2".
        weights: "none" (random) or "imagenet". Those of efficientnet_lite0 come with the extra [imagenet]; Keras
            downloads those of other encoders.
        decoder: Channels of the decoder's four levels, coarsest first.

    Raises:
        ValueError: Unknown encoder or weights; ImageNet weights with a width other than 1; weights not available.
    """
    check_choice("weights", weights, WEIGHTS)
    if len(decoder) != len(_STRIDES) - 1:
        raise ValueError(f"Argument `decoder` must hold {len(_STRIDES) - 1} numbers of channels. "
                         f"Received: decoder={tuple(decoder)}")  # fmt: skip
    image, features = image_input(input_shape, _STRIDES[-1], normalization)
    features = _three_channels(features)
    pyramid = _own(features, width, weights) if encoder == OWN else _application(features, encoder, weights)
    features = pyramid.pop()
    for channels in decoder:
        stride = _STRIDES[len(pyramid) - 1]
        features = layers.Concatenate(name=f"join{stride}")([upsample(features, f"up{stride}"), pyramid.pop()])
        features = _conv_norm_relu(features, scaled(channels, width), f"decoder{stride}")
    model = keras.Model(image, side_mask(features, _STRIDES[0], "probability"), name="backbone_unet")
    if encoder == OWN and weights == "imagenet":
        load_efficientnet_lite0(model)
    return model


def _three_channels(features):
    """Adapt the input to three channels: repeat a grey image three times, project other channel counts."""
    channels = features.shape[-1]
    if channels == 1:
        return layers.Concatenate(name="colours")([features] * 3)
    return features if channels == 3 else layers.Conv2D(3, 1, name="colours")(features)


def _own(features, width, weights):
    if weights == "imagenet" and width != 1:
        raise ValueError(f'weights="imagenet" of efficientnet_lite0 require width=1. Received: width={width}')
    return efficientnet_lite0(features, width)


def _application(features, encoder, weights):
    """Return the feature maps of a network of keras.applications at all strides, finest first."""
    build = getattr(keras.applications, encoder, None)
    if not inspect.isfunction(build):
        known = [name for name in dir(keras.applications) if name[0].isupper()]
        raise ValueError(f"Argument `encoder` must be {OWN} or one of {', '.join(known)}. "
                         f"Received: encoder={encoder!r}")  # fmt: skip
    options = {"include_preprocessing": False} if "include_preprocessing" in inspect.signature(build).parameters else {}
    shape = tuple(features.shape[1:])
    backbone = build(include_top=False, weights=None, input_shape=shape, **options)
    if weights == "imagenet":
        backbone.set_weights(build(include_top=False, weights="imagenet", **options).get_weights())
    if any(isinstance(layer, layers.Rescaling) for layer in backbone.layers):  # it expects values up to 255
        features = layers.Rescaling(255 * _DEVIATION, 255 * _MEAN, name="as_bytes")(features)
    backbone = keras.Model(backbone.input, _pyramid(backbone, encoder), name=encoder.lower())
    return list(backbone(features))


def _pyramid(backbone, encoder):
    """Return the last feature map of the backbone at each stride. Raises ValueError if a stride is missing."""
    height, width = backbone.input_shape[1:3]
    last = {}
    for layer in backbone.layers[1:]:
        shape = getattr(layer.output, "shape", ())
        for stride in _STRIDES:
            if len(shape) == 4 and tuple(shape[1:3]) == (height // stride, width // stride):
                last[stride] = layer.output
    missing = [stride for stride in _STRIDES if stride not in last]
    if missing:
        raise ValueError(f"{encoder} has no feature maps at the strides {missing} of {height} x {width} pixels, so no "
                         "U-Net can be built on it. Choose another encoder")  # fmt: skip
    return [last[stride] for stride in _STRIDES]


def _conv_norm_relu(features, filters, name):
    features = layers.Conv2D(filters, 3, padding="same", use_bias=False, kernel_initializer="he_normal",
                             name=f"{name}_conv")(features)  # fmt: skip
    features = layers.BatchNormalization(momentum=0.99, epsilon=1e-3, name=f"{name}_bn")(features)
    return layers.ReLU(name=f"{name}_relu")(features)
