"""U-Net: Ronneberger, Fischer, Brox, MICCAI 2015, LNCS 9351:234-241, doi 10.1007/978-3-319-24574-4_28.

Departures: "same" padding, so that the output has the input's size and nothing is cropped; batch normalisation on
demand (on by default); no dropout; one output channel with a sigmoid.
"""

import keras
from keras import layers

from tfrespam.models.blocks import double_conv, image_input, outputs, probability, scaled, side_mask


def unet(input_shape, width=1.0, *, normalization="none", batch_normalization=True, side_outputs=False):
    """U-Net.

    Args:
        input_shape: (height, width, channels), sides multiples of 16.
        width: Factor on every channel count; 0.5 is the baseline of Connected-UNets.
        normalization: As in `tfrespam.models.blocks.image_input`.
        batch_normalization: Whether each 3x3 convolution is followed by batch normalisation.
        side_outputs: Whether the decoder's first three levels give masks of their own, `mask1` (the coarsest) to
            `mask3`, beside `probability`: for deep supervision. An export drops them.
    """
    image, features = image_input(input_shape, 16, normalization)
    *lower, features = unet_decoded(features, width, batch_normalization)
    sides = {f"mask{4 - level}": side_mask(decoded, 2**level, f"mask{4 - level}")
             for level, decoded in zip((3, 2, 1), lower, strict=True) if side_outputs}  # fmt: skip
    return keras.Model(image, outputs(probability(features), sides), name="unet")


def unet_decoded(features, width, batch_normalization=True):
    """U-Net's four decoded features, from 1/8 of the picture's size to all of it."""
    *skips, features = unet_encoded(features, width, batch_normalization)
    return unet_decoder(features, skips, width, batch_normalization)


def unet_encoded(features, width, batch_normalization=True):
    """The features that the decoder takes, from the picture's size to 1/16 of it: four skips and the bottom's."""
    encoded = []
    for channels in (64, 128, 256, 512):
        encoded.append(double_conv(features, scaled(channels, width), f"encoder{channels}", batch_normalization))
        features = layers.MaxPooling2D(2, name=f"pool{channels}")(encoded[-1])
    return [*encoded, double_conv(features, scaled(1024, width), "bottom", batch_normalization)]


def unet_decoder(features, skips, width, batch_normalization=True):
    """The bottom's features, four times enlarged and joined with a skip: all four, the coarsest first."""
    decoded = []
    for channels, skip in zip((512, 256, 128, 64), reversed(skips), strict=True):
        features = layers.Conv2DTranspose(scaled(channels, width), 2, 2, name=f"up{channels}")(features)
        features = layers.Concatenate(name=f"concat{channels}")([skip, features])
        features = double_conv(features, scaled(channels, width), f"decoder{channels}", batch_normalization)
        decoded.append(features)
    return decoded
