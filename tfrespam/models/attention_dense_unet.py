"""Attention Dense-U-Net: Li et al., IEEE Access 7:59037-59047, 2019, doi 10.1109/ACCESS.2019.2914873.

A densely connected encoder and a U-Net decoder with attention gates on the skips. Only the paper's abstract was
available, not its text; the layers follow a re-implementation by the authors of DS U-Net. Each encoder block repeats
batch normalisation, ReLU and 3x3 convolution five times; the middle three convolutions also receive earlier outputs. A
1x1 convolution to 64 channels and average pooling lead to the next block.

Departures from the paper: its blocks concatenate earlier outputs; here, as in that re-implementation, they are added.
Departures from the re-implementation: no bias before batch normalisation, which has PyTorch's constants. 68.62 M
parameters (68.63 M with those biases, which agrees with the re-implementation's "about 68.6 M").
"""

import keras
from keras import layers

from tfrespam.layers import ConvUnit
from tfrespam.models.blocks import conv_relu, double_conv, image_input, norm_relu, probability, scaled

LEVELS = (64, 128, 256, 512)


def attention_dense_unet(input_shape, width=1.0, *, normalization="none", gate_channels=16):
    """Build Attention Dense-U-Net.

    Args:
        input_shape: (height, width, channels), sides multiples of 16.
        width: Factor on every channel count.
        normalization: "none", "standardize" (mean 0 and variance 1 of each image) or "local_contrast" (that, and the
            local contrast around each pixel as further channels).
        gate_channels: Inner channels of an attention gate, at width 1.
    """
    image, features = image_input(input_shape, 16, normalization)
    features = layers.Conv2D(scaled(64, width), 3, padding="same", use_bias=False, name="stem")(features)
    skips = []
    for channels in LEVELS:
        features = _dense(features, scaled(channels, width), f"encoder{channels}")
        skips.append(features)
        features = layers.Conv2D(scaled(64, width), 1, use_bias=False, name=f"narrow{channels}")(features)
        features = layers.AveragePooling2D(2, name=f"pool{channels}")(features)
    features = _dense(features, scaled(1024, width), "bottom")
    for channels in reversed(LEVELS):
        skip = _attention_gate(skips.pop(), features, scaled(gate_channels, width), f"gate{channels}")
        features = layers.Conv2DTranspose(scaled(channels, width), 3, 2, "same", activation="relu",
                                          name=f"up{channels}")(features)
        features = layers.Concatenate(name=f"concat{channels}")([skip, features])
        features = double_conv(features, scaled(channels, width), f"decoder{channels}")
    return keras.Model(image, probability(features), name="attention_dense_unet")


def _dense(features, filters, name):
    """Apply five convolutions; the second to fourth add the outputs of all earlier ones."""
    earlier = []
    for index in range(1, 6):
        features = layers.Conv2D(filters, 3, padding="same", use_bias=index == 5, kernel_initializer="he_normal",
                                 name=f"{name}_{index}")(norm_relu(features, f"{name}_{index}"))
        if 1 < index < 5:
            features = layers.Add(name=f"{name}_{index}_add")([*earlier, features])
        earlier.append(features)
    return features


def _attention_gate(skip, deep, filters, name):
    """Multiply `skip` (2 H, 2 W, C) by weights in (0, 1), one for each pixel of `deep` (H, W, ...), interpolated."""
    signal = conv_relu(deep, deep.shape[-1], f"{name}_signal", 1, batch_normalization=True)
    signal = layers.Conv2D(filters, 1, name=f"{name}_deep")(signal)
    halved = ConvUnit(filters, 1, 2, name=f"{name}_skip")(skip)
    joined = layers.ReLU(name=f"{name}_relu")(layers.Add(name=f"{name}_add")([signal, halved]))
    weights = layers.Conv2D(1, 1, activation="sigmoid", name=f"{name}_weights")(joined)
    weights = layers.UpSampling2D(2, interpolation="bilinear", name=f"{name}_up")(weights)
    return layers.Multiply(name=f"{name}_weighed")([skip, weights])
