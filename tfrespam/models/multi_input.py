"""Late-fusion U-Net for several images of one breast: a second view, or the same view with contrast.

Each image goes through a separate or a shared encoder, and the deepest features are fused (late fusion). The mask is
predicted for the first image; only its skips reach the decoder. Fusion is late because positions in CC and MLO views
do not correspond. A missing image is black; the fusion layer detects that and passes on a flag.

This is a design of this project, built from the parts of `unet`.
"""

import keras
from keras import ops

from tfrespam.layers import LateFusion
from tfrespam.models.blocks import checked_input, conv_relu, image_input, probability, scaled
from tfrespam.models.unet import unet_decoder, unet_encoded


def multi_input(input_shape, width=1.0, *, normalization="none", batch_normalization=True, shared_encoder=True,
                aligned=False):  # fmt: skip
    """Build the late-fusion U-Net.

    Args:
        input_shape: (height, width, channels), sides multiples of 16. Each channel is an image; the mask is predicted
            for the first. With one channel nothing is fused.
        width: Factor on every channel count.
        normalization: "none", "standardize" (mean 0 and variance 1) or "local_contrast" (that, and the local contrast
            around each pixel as further channels), applied to each image separately.
        batch_normalization: Apply batch normalisation after each convolution.
        shared_encoder: Use the same encoder for all images; False gives each image a separate one.
        aligned: As in `tfrespam.layers.LateFusion`: False for other views, True for the same view with contrast.
    """
    image = checked_input(input_shape, 16)
    views = [image[..., k : k + 1] for k in range(image.shape[3])]
    names = ["encoder"] + [f"encoder{k + 1}" for k in range(1, 1 if shared_encoder else len(views))]
    encoders = [_encoder(name, image.shape[1:3], width, normalization, batch_normalization) for name in names]
    if shared_encoder:
        encoded = _encoded_together(encoders[0], views)
    else:
        encoded = [encoder(view) for encoder, view in zip(encoders, views, strict=True)]
    fused = LateFusion(aligned, name="fusion")([image, *(features[-1] for features in encoded)])
    fused = conv_relu(fused, scaled(1024, width), "fused", 1, batch_normalization=batch_normalization)
    features = unet_decoder(fused, encoded[0][:-1], width, batch_normalization)[-1]
    return keras.Model(image, probability(features), name="multi_input")


def _encoded_together(encoder, images):
    """Encode all images by one encoder in one call, and return the features of each.

    One call makes batch normalisation see the same mixture of images, including missing ones, in training and in its
    moving averages.
    """
    features = encoder(ops.concatenate(images, axis=0))
    return list(zip(*(ops.split(each, len(images), axis=0) for each in features), strict=True))


def _encoder(name, size, width, normalization, batch_normalization):
    """Build the encoder from one image (H, W, 1) to its features at five sizes."""
    image, features = image_input((*size, 1), 16, normalization)
    return keras.Model(image, unet_encoded(features, width, batch_normalization), name=name)
