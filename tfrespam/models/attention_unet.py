"""Attention U-Net: Oktay et al., MIDL 2018, arXiv 1804.03999, as built by the authors of Connected-UNets.

A U-Net of 32 to 512 channels. A gate multiplies each pixel of a skip by a weight that it computes from the skip and the
deeper feature map. "AU-Net" may also mean AUNet, see `au_net`. Layers follow the released code of Baccouche et al. (npj
Breast Cancer 7:151, 2021; 11.02 M parameters).

Departures: PyTorch's constants in batch normalisation.
"""

import keras
from keras import layers

from tfrespam.models.blocks import batch_norm, double_conv, double_conv_relu_norm, image_input, probability, scaled


def attention_unet(input_shape, width=1.0, *, normalization="none"):
    """Build Attention U-Net.

    Args:
        input_shape: (height, width, channels), sides multiples of 16.
        width: Factor on every channel count.
        normalization: "none", "standardize" (mean 0 and variance 1 of each image) or "local_contrast" (that, and the
            local contrast around each pixel as further channels).
    """
    image, features = image_input(input_shape, 16, normalization)
    skips = []
    for channels in (32, 64, 128, 256):
        features = double_conv_relu_norm(features, scaled(channels, width), f"encoder{channels}")
        skips.append(features)
        features = layers.MaxPooling2D(2, name=f"pool{channels}")(features)
    features = double_conv(features, scaled(512, width), "bottom")
    for channels, up_channels in ((256, 256), (128, 128), (64, 128), (32, 32)):
        skip = _attention_gate(skips.pop(), features, f"gate{channels}")
        features = layers.Conv2DTranspose(scaled(up_channels, width), 3, 2, "same", activation="relu",
                                          name=f"up{channels}")(features)
        features = layers.Concatenate(name=f"concat{channels}")([features, skip])
        features = double_conv(features, scaled(channels, width), f"decoder{channels}")
    return keras.Model(image, probability(features), name="attention_unet")


def _attention_gate(skip, deep, name):
    """Multiply `skip` (2 H, 2 W, C) by weights in (0, 1), one for each pixel of `deep` (H, W, ...); 1x1 convolution."""
    filters = skip.shape[-1]
    signal = layers.Conv2D(2 * deep.shape[-1], 1, name=f"{name}_signal_conv")(deep)
    signal = layers.ReLU(name=f"{name}_signal_relu")(batch_norm(f"{name}_signal_bn")(signal))
    signal = layers.Conv2D(filters, 1, name=f"{name}_signal")(signal)
    signal = layers.Conv2DTranspose(filters, 3, padding="same", name=f"{name}_signal_spread")(signal)
    halved = layers.Conv2D(filters, 2, 2, name=f"{name}_skip")(skip)
    joined = layers.ReLU(name=f"{name}_relu")(layers.Add(name=f"{name}_add")([halved, signal]))
    weights = layers.Conv2D(1, 1, activation="sigmoid", name=f"{name}_weights")(joined)
    weights = layers.UpSampling2D(2, name=f"{name}_up")(weights)
    gated = layers.Conv2D(filters, 1, name=f"{name}_conv")(layers.Multiply(name=f"{name}_weighed")([skip, weights]))
    return batch_norm(f"{name}_bn")(gated)
