"""U-Net for several pictures of one breast, fused late: a second view, or the same view with contrast.

Each picture goes through an encoder of its own or a common one; what the deepest features say is joined there (late
fusion), and the mask is drawn for the first picture, whose skips alone reach the decoder. Late, because CC and MLO show
a mass at places that cannot be mapped onto each other. A picture that is missing is black, and the fusion told so.

A design of this project, on the parts of `unet`.
"""

import keras
from keras import ops

from tfrespam.layers import LateFusion
from tfrespam.models.blocks import checked_input, conv_relu, image_input, probability, scaled
from tfrespam.models.unet import unet_decoder, unet_encoded


def multi_input(input_shape, width=1.0, *, normalization="none", batch_normalization=True, shared_encoder=True,
                aligned=False):  # fmt: skip
    """Late-fusion U-Net.

    Args:
        input_shape: (height, width, channels), sides multiples of 16; each channel is a picture, the first is the one
            whose mask is asked for. With one channel there is nothing to fuse.
        width: Factor on every channel count.
        normalization: As in `tfrespam.models.blocks.image_input`, of each picture by itself.
        batch_normalization: Whether each convolution is followed by batch normalisation.
        shared_encoder: Whether all pictures go through the same encoder, or each through one of its own.
        aligned: As in `tfrespam.layers.LateFusion`: False for other views, True for the same view with contrast.
    """
    image = checked_input(input_shape, 16)
    pictures = [image[..., k : k + 1] for k in range(image.shape[3])]
    names = ["encoder"] + [f"encoder{k + 1}" for k in range(1, 1 if shared_encoder else len(pictures))]
    encoders = [_encoder(name, image.shape[1:3], width, normalization, batch_normalization) for name in names]
    if shared_encoder:
        encoded = _encoded_together(encoders[0], pictures)
    else:
        encoded = [encoder(picture) for encoder, picture in zip(encoders, pictures, strict=True)]
    fused = LateFusion(aligned, name="fusion")([image, *(features[-1] for features in encoded)])
    fused = conv_relu(fused, scaled(1024, width), "fused", 1, batch_normalization=batch_normalization)
    features = unet_decoder(fused, encoded[0][:-1], width, batch_normalization)[-1]
    return keras.Model(image, probability(features), name="multi_input")


def _encoded_together(encoder, pictures):
    """The features of each picture through one encoder: in one call, so that batch normalisation sees the same mixture
    of pictures, missing ones among them, while it learns and afterwards.
    """
    features = encoder(ops.concatenate(pictures, axis=0))
    return list(zip(*(ops.split(each, len(pictures), axis=0) for each in features), strict=True))


def _encoder(name, size, width, normalization, batch_normalization):
    """From one picture (H, W, 1) to its features at five sizes."""
    picture, features = image_input((*size, 1), 16, normalization)
    return keras.Model(picture, unet_encoded(features, width, batch_normalization), name=name)
