"""AUNet: Sun et al., Phys. Med. Biol. 65(5) 055005, 2020, doi 10.1088/1361-6560/ab5745, arXiv 1810.10151.

A residual encoder, and a decoder whose blocks upsample in two ways: by interpolation, and by "dense upsampling" (pixel
shuffle). The skip is added to the latter; channel attention weights both. Layers follow the authors' code (75.50 M
parameters with their two output classes). "AU-Net" may also mean Attention U-Net, see `attention_unet`.

Departures: one output channel with a sigmoid; bilinear upsampling with half-pixel centres; no bias before batch
normalisation.
"""

import keras
from keras import layers

from tfrespam.layers import ChannelGate, PixelShuffle
from tfrespam.models.blocks import batch_norm, conv_relu, double_conv, image_input, probability, scaled, upsample


def au_net(input_shape, width=1.0, *, normalization="none", reduction=16):
    """Build AUNet.

    Args:
        input_shape: (height, width, channels), sides multiples of 16.
        width: Factor on every channel count.
        normalization: "none", "standardize" (mean 0 and variance 1 of each image) or "local_contrast" (that, and the
            local contrast around each pixel as further channels).
        reduction: Channels divided by the inner width of the channel attention.
    """
    image, features = image_input(input_shape, 16, normalization)
    skips = []
    for channels in (64, 128, 256, 512):
        features = _residual(features, scaled(channels, width), f"encoder{channels}")
        skips.append(features)
        features = layers.MaxPooling2D(2, name=f"pool{channels}")(features)
    features = _residual(features, scaled(1024, width), "bottom")
    for channels in (512, 256, 128, 64):
        features = _attention_upsample(features, skips.pop(), scaled(channels, width), reduction, f"decoder{channels}")
    return keras.Model(image, probability(features), name="au_net")


def _residual(features, filters, name):
    entry = conv_relu(features, filters, f"{name}_1", batch_normalization=True)
    features = conv_relu(entry, filters, f"{name}_2", batch_normalization=True)
    features = layers.Conv2D(filters, 3, padding="same", use_bias=False, name=f"{name}_3_conv")(features)
    features = batch_norm(f"{name}_3_bn")(features)
    return layers.ReLU(name=f"{name}_relu")(layers.Add(name=f"{name}_add")([features, entry]))


def _attention_upsample(deep, skip, filters, reduction, name):
    smooth = conv_relu(upsample(deep, f"{name}_up"), filters, f"{name}_smooth", batch_normalization=True)
    dense = conv_relu(deep, 4 * filters, f"{name}_dense", batch_normalization=True)
    dense = layers.Add(name=f"{name}_join")([PixelShuffle(name=f"{name}_shuffle")(dense), skip])
    dense = conv_relu(dense, filters, f"{name}_joined", batch_normalization=True)
    both = layers.Concatenate(name=f"{name}_concat")([dense, smooth])
    gate = ChannelGate(reduction, ("mean",), name=f"{name}_gate")(both)
    return double_conv(layers.Multiply(name=f"{name}_weighed")([both, gate]), filters, name, True)
