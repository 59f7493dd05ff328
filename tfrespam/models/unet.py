"""U-Net: Ronneberger, Fischer, Brox, MICCAI 2015, LNCS 9351:234-241, doi 10.1007/978-3-319-24574-4_28.

Departures: "same" padding, so that the output has the input's size and nothing is cropped; optional batch normalisation
(on by default); no dropout; one output channel with a sigmoid.
"""

import keras
from keras import layers

from tfrespam.models.blocks import double_conv, image_input, outputs, probability, scaled, side_mask


def unet(input_shape, width=1.0, *, normalization="none", batch_normalization=True, side_outputs=False):
    """Build U-Net.

    Args:
        input_shape: (height, width, channels), sides multiples of 16.
        width: Factor on every channel count; 0.5 is the baseline of Connected-UNets.
        normalization: "none", "standardize" (mean 0 and variance 1 of each image) or "local_contrast" (that, and the
            local contrast around each pixel as further channels).
        batch_normalization: Apply batch normalisation after each 3x3 convolution.
        side_outputs: Add auxiliary outputs for deep supervision: masks of the decoder's first three levels, `mask1`
            (the coarsest) to `mask3`, beside `probability`. An export omits them.
    """
    image, features = image_input(input_shape, 16, normalization)
    *lower, features = unet_decoded(features, width, batch_normalization)
    sides = {f"mask{4 - level}": side_mask(decoded, 2**level, f"mask{4 - level}")
             for level, decoded in zip((3, 2, 1), lower, strict=True) if side_outputs}  # fmt: skip
    return keras.Model(image, outputs(probability(features), sides), name="unet")


def unet_decoded(features, width, batch_normalization=True):
    """Return U-Net's four decoder feature maps, from 1/8 of the image's size to full size."""
    *skips, features = unet_encoded(features, width, batch_normalization)
    return unet_decoder(features, skips, width, batch_normalization)


def unet_encoded(features, width, batch_normalization=True):
    """Return U-Net's encoder feature maps, from the image's size to 1/16 of it: four skips and the bottleneck."""
    encoded = []
    for channels in (64, 128, 256, 512):
        encoded.append(double_conv(features, scaled(channels, width), f"encoder{channels}", batch_normalization))
        features = layers.MaxPooling2D(2, name=f"pool{channels}")(encoded[-1])
    return [*encoded, double_conv(features, scaled(1024, width), "bottom", batch_normalization)]


def unet_decoder(features, skips, width, batch_normalization=True):
    """Decode the bottleneck features in four steps, each with a skip; return all four maps, coarsest first."""
    decoded = []
    for channels, skip in zip((512, 256, 128, 64), reversed(skips), strict=True):
        features = layers.Conv2DTranspose(scaled(channels, width), 2, 2, name=f"up{channels}")(features)
        features = layers.Concatenate(name=f"concat{channels}")([skip, features])
        features = double_conv(features, scaled(channels, width), f"decoder{channels}", batch_normalization)
        decoded.append(features)
    return decoded
