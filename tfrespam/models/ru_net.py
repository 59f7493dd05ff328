"""RU-Net: Abdelhafiz et al., "Residual Deep Learning System for Mass Segmentation and Classification in Mammography",
ACM BCB 2019, doi 10.1145/3307339.3342157.

A U-Net of residual units with residual attention modules. Only the title and a README of the authors' MATLAB code were
available, so this is a plausible reconstruction, not their network: residual units of He et al. (2016) replace U-Net's
pairs of convolutions, and each skip has the attention of Wang et al. (CVPR 2017, arXiv 1704.06904): the trunk T becomes
(1 + M) T, where the mask M, in (0, 1), is computed by a small branch of downsampling, convolution and upsampling.

Departures: unknown, for that reason. 35.92 M parameters with three input channels; no count was published.
"""

import keras
from keras import layers

from tfrespam.models.blocks import batch_norm, conv_relu, image_input, probability, scaled, upsample


def ru_net(input_shape, width=1.0, *, normalization="none", attention=True):
    """Build RU-Net.

    Args:
        input_shape: (height, width, channels), sides multiples of 16.
        width: Factor on every channel count.
        normalization: "none", "standardize" (mean 0 and variance 1 of each image) or "local_contrast" (that, and the
            local contrast around each pixel as further channels).
        attention: Apply residual attention to the skips; without it this is a residual U-Net.
    """
    image, features = image_input(input_shape, 16, normalization)
    skips = []
    for channels in (64, 128, 256, 512):
        features = _residual(features, scaled(channels, width), f"encoder{channels}")
        skips.append(_residual_attention(features, f"attention{channels}") if attention else features)
        features = layers.MaxPooling2D(2, name=f"pool{channels}")(features)
    features = _residual(features, scaled(1024, width), "bottom")
    for channels in (512, 256, 128, 64):
        features = layers.Conv2DTranspose(scaled(channels, width), 2, 2, name=f"up{channels}")(features)
        features = layers.Concatenate(name=f"concat{channels}")([skips.pop(), features])
        features = _residual(features, scaled(channels, width), f"decoder{channels}")
    return keras.Model(image, probability(features), name="ru_net")


def _residual(features, filters, name):
    """Apply two 3x3 convolutions with a shortcut, which is a 1x1 convolution."""
    shortcut = _conv_norm(features, filters, 1, f"{name}_shortcut")
    features = conv_relu(features, filters, f"{name}_1", batch_normalization=True)
    features = _conv_norm(features, filters, 3, f"{name}_2")
    return layers.ReLU(name=f"{name}_relu")(layers.Add(name=f"{name}_add")([features, shortcut]))


def _conv_norm(features, filters, kernel_size, name):
    features = layers.Conv2D(filters, kernel_size, padding="same", use_bias=False, kernel_initializer="he_normal",
                             name=f"{name}_conv")(features)
    return batch_norm(f"{name}_bn")(features)


def _residual_attention(trunk, name):
    """Compute (1 + M) T: each value is multiplied by a factor between 1 and 2."""
    filters = trunk.shape[-1]
    mask = layers.MaxPooling2D(2, name=f"{name}_down")(trunk)
    mask = upsample(conv_relu(mask, filters, name, batch_normalization=True), f"{name}_up")
    mask = layers.Conv2D(filters, 1, activation="sigmoid", name=f"{name}_mask")(mask)
    weighed = layers.Multiply(name=f"{name}_weighed")([mask, trunk])
    return layers.Add(name=f"{name}_add")([trunk, weighed])
