"""Attention Dense-U-Net: Li et al., IEEE Access 7:59037-59047, 2019, doi 10.1109/ACCESS.2019.2914873.

A densely connected encoder and a U-Net decoder whose skips pass attention gates. The paper's text was not at hand, only
its abstract; the layers are those of a re-implementation by the authors of DS U-Net. Each encoder block has five times
batch normalisation, ReLU and 3x3 convolution, the middle three of which also get what came before them; a 1x1
convolution to 64 channels and average pooling lead to the next block.

Departures: of the paper, whose blocks stack what came before, while here, as in that re-implementation, it is added; of
the re-implementation, no bias in front of batch normalisation and PyTorch's constants in it. 68.62 M parameters (with
those biases 68.63 M, which fits the re-implementation's "about 68.6 M").
"""

import keras
from keras import layers

from tfrespam.layers import ConvUnit
from tfrespam.models.blocks import conv_relu, double_conv, image_input, norm_relu, probability, scaled

LEVELS = (64, 128, 256, 512)


def attention_dense_unet(input_shape, width=1.0, *, normalization="none", gate_channels=16):
    """Attention Dense-U-Net.

    Args:
        input_shape: (height, width, channels), sides multiples of 16.
        width: Factor on every channel count.
        normalization: As in `tfrespam.models.blocks.image_input`.
        gate_channels: Channels inside an attention gate, at width 1.
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
    """Five convolutions; the second to fourth hand on the sum of all so far."""
    earlier = []
    for index in range(1, 6):
        features = layers.Conv2D(filters, 3, padding="same", use_bias=index == 5, kernel_initializer="he_normal",
                                 name=f"{name}_{index}")(norm_relu(features, f"{name}_{index}"))
        if 1 < index < 5:
            features = layers.Add(name=f"{name}_{index}_add")([*earlier, features])
        earlier.append(features)
    return features


def _attention_gate(skip, deep, filters, name):
    """`skip` (2 H, 2 W, C) times weights in (0, 1), one a pixel of `deep` (H, W, ...), interpolated."""
    signal = conv_relu(deep, deep.shape[-1], f"{name}_signal", 1, batch_normalization=True)
    signal = layers.Conv2D(filters, 1, name=f"{name}_deep")(signal)
    halved = ConvUnit(filters, 1, 2, name=f"{name}_skip")(skip)
    joined = layers.ReLU(name=f"{name}_relu")(layers.Add(name=f"{name}_add")([signal, halved]))
    weights = layers.Conv2D(1, 1, activation="sigmoid", name=f"{name}_weights")(joined)
    weights = layers.UpSampling2D(2, interpolation="bilinear", name=f"{name}_up")(weights)
    return layers.Multiply(name=f"{name}_weighed")([skip, weights])
