"""Connected-UNets: Baccouche et al., npj Breast Cancer 7:151, 2021, doi 10.1038/s41523-021-00358-x.

Two U-Nets of 32 to 512 channels in sequence, with ASPP at both bottlenecks and before the output. Each level of the
second encoder also receives the first decoder's feature map of equal size. Layers follow the released code (20.04 M
parameters).

Departures: PyTorch's constants in batch normalisation; no bias before it within ASPP. The paper's figure also shows an
ASPP between the two U-Nets, which the released plain code omits: option `aspp_between`.
"""

import keras
from keras import layers

from tfrespam.layers import ASPP
from tfrespam.models.blocks import double_conv_relu_norm, image_input, probability, scaled

LEVELS = (32, 64, 128, 256)


def connected_unets(input_shape, width=1.0, *, normalization="none", aspp_between=False):
    """Build Connected-UNets.

    Args:
        input_shape: (height, width, channels), sides multiples of 16.
        width: Factor on every channel count.
        normalization: "none", "standardize" (mean 0 and variance 1 of each image) or "local_contrast" (that, and the
            local contrast around each pixel as further channels).
        aspp_between: Add an ASPP between the two U-Nets.
    """
    image, features = image_input(input_shape, 16, normalization)
    skips = []
    for channels in LEVELS:
        features = double_conv_relu_norm(features, scaled(channels, width), f"first_encoder{channels}")
        skips.append(features)
        features = layers.MaxPooling2D(2, name=f"first_pool{channels}")(features)
    features = ASPP(scaled(512, width), name="first_bottom")(features)
    decoded = _decode(features, skips, width, "first")

    features = decoded[LEVELS[0]]
    if aspp_between:
        features = decoded[LEVELS[0]] = ASPP(scaled(32, width), name="between")(features)
    skips = []
    for channels in LEVELS:
        features = layers.Conv2D(scaled(channels, width), 3, padding="same", activation="relu",
                                 name=f"second_enter{channels}")(features)
        features = layers.Concatenate(name=f"second_connect{channels}")([features, decoded[channels]])
        features = double_conv_relu_norm(features, scaled(channels, width), f"second_encoder{channels}")
        skips.append(features)
        features = layers.MaxPooling2D(2, name=f"second_pool{channels}")(features)
    features = ASPP(scaled(512, width), name="second_bottom")(features)
    features = _decode(features, skips, width, "second")[LEVELS[0]]
    features = ASPP(scaled(32, width), name="last")(features)
    return keras.Model(image, probability(features), name="connected_unets")


def _decode(features, skips, width, name):
    """Decode to full size; return the decoded feature map of each level."""
    decoded = {}
    for channels, skip in zip(reversed(LEVELS), reversed(skips), strict=True):
        features = layers.Conv2DTranspose(scaled(channels, width), 2, 2, name=f"{name}_up{channels}")(features)
        features = layers.Concatenate(name=f"{name}_concat{channels}")([features, skip])
        features = double_conv_relu_norm(features, scaled(channels, width), f"{name}_decoder{channels}")
        decoded[channels] = features
    return decoded
