"""cGAN: Singh et al., Expert Systems with Applications 139:112855, 2020, doi 10.1016/j.eswa.2019.112855.

pix2pix (Isola et al., CVPR 2017, arXiv 1611.07004) at half its width: the generator, a U-Net of 4x4 convolutions with
stride 2, predicts the mask, and a discriminator classifies patches of 70 x 70 pixels as generated or true. Layers
follow the authors' code (generator 13.61 M, discriminator 0.70 M parameters). `cgan` is the generator, which is
trained, exported and evaluated like any network; `tfrespam.training.objectives.adversarial` adds the discriminator.

Departures: one output with a sigmoid instead of three with tanh; batch normalisation is not shared between layers of
equal width; no bias before it, and PyTorch's constants in it; TensorFlow's padding in the generator. 256 pixels are
halved eight times, other sizes as often as possible: 224 five times, to 7 x 7, and 128 seven times, to 1 x 1.
"""

import keras
from keras import layers

from tfrespam.models.blocks import batch_norm, image_input, scaled

CHANNELS = (32, 64, 128, 256, 256, 256, 256, 256)
_FEWEST = 5  # halvings; no other network has more
_SLOPE = 0.2


def cgan(input_shape, width=1.0, *, normalization="none", levels=None, dropout=0.5):
    """Build the generator of the cGAN.

    Args:
        input_shape: (height, width, channels), sides multiples of 32 (of 2**levels).
        width: Factor on every channel count.
        normalization: "none", "standardize" (mean 0 and variance 1 of each image) or "local_contrast" (that, and the
            local contrast around each pixel as further channels).
        levels: Number of halvings, 5 to 8 (default: as many as the image's size allows, at most 8).
        dropout: Dropout rate after the first three upsampling steps; pix2pix uses dropout as its noise input.
    """
    if levels is not None and not _FEWEST <= levels <= len(CHANNELS):
        raise ValueError(f"Argument `levels` must be from {_FEWEST} to {len(CHANNELS)}. Received: levels={levels}")
    image, features = image_input(input_shape, 2 ** (levels or _FEWEST), normalization)
    channels = [scaled(count, width) for count in CHANNELS[: levels or _halvings(input_shape)]]
    skips = []
    for level, filters in enumerate(channels, 1):
        if level > 1:
            features = layers.LeakyReLU(_SLOPE, name=f"down{level}_relu")(features)
        ends = level in (1, len(channels))  # first and last encoder level: no batch normalisation
        features = _conv(layers.Conv2D, features, filters, f"down{level}", not ends)
        skips.append(features)
    features = skips.pop()
    for level in range(len(channels) - 1, 0, -1):
        features = layers.ReLU(name=f"up{level}_relu")(features)
        features = _conv(layers.Conv2DTranspose, features, channels[level - 1], f"up{level}", True)
        if level > len(channels) - 4:
            features = layers.Dropout(dropout, name=f"up{level}_dropout")(features)
        features = layers.Concatenate(name=f"up{level}_concat")([skips.pop(), features])
    features = layers.ReLU(name="up0_relu")(features)
    features = _conv(layers.Conv2DTranspose, features, 1, "logits", False, dtype="float32")
    output = layers.Activation("sigmoid", dtype="float32", name="probability")(features)
    return keras.Model(image, output, name="cgan")


def _halvings(input_shape) -> int:
    """Return how often height and width, where known, can be halved; at most the number of levels in CHANNELS."""
    sides = [side for side in input_shape[:2] if side is not None]
    return min([len(CHANNELS), *((side & -side).bit_length() - 1 for side in sides)]) if sides else _FEWEST


def _conv(layer, features, filters, name, normalized, strides=2, padding="same", **kwargs):
    """Apply a 4x4 convolution, with a bias only without batch normalisation. pix2pix initialises with normal(0, 0.02).
    """
    start = keras.initializers.RandomNormal(stddev=0.02)
    features = layer(filters, 4, strides, padding, use_bias=not normalized, kernel_initializer=start, name=name,
                     **kwargs)(features)  # fmt: skip
    return batch_norm(f"{name}_bn")(features) if normalized else features


def patch_discriminator(input_shape, width=1.0):
    """Build the PatchGAN discriminator: the probability that each 70 x 70 patch of a mask is true, given the image.

    Args:
        input_shape: (height, width, channels) of the image, sides at least 32.
        width: Factor on every channel count.

    Returns:
        A functional model of [`image` (H, W, channels), `mask` (H, W, 1)], with the output `true` (h, w, 1), float32
        in [0, 1]; h = H / 8 - 2.
    """
    image = keras.Input(tuple(input_shape), name="image")
    mask = keras.Input((*input_shape[:2], 1), name="mask")
    features = layers.Concatenate(name="both")([image, mask])
    for index, (count, strides) in enumerate(((32, 2), (64, 2), (128, 2), (256, 1)), 1):
        features = _padded(features, scaled(count, width), f"judge{index}", index > 1, strides)
        features = layers.LeakyReLU(_SLOPE, name=f"judge{index}_relu")(features)
    features = _padded(features, 1, "verdict", False, 1, dtype="float32")
    output = layers.Activation("sigmoid", dtype="float32", name="true")(features)
    return keras.Model([image, mask], output, name="patch_discriminator")


def _padded(features, filters, name, normalized, strides, **kwargs):
    """Convolve with one pixel of padding on each side, as PyTorch does; TensorFlow pads even kernels asymmetrically."""
    features = layers.ZeroPadding2D(1, name=f"{name}_pad")(features)
    return _conv(layers.Conv2D, features, filters, name, normalized, strides, "valid", **kwargs)
