"""Multi-scale FC-DenseNet: Hai et al., J. Healthcare Engineering 2019:8415485, doi 10.1155/2019/8415485.

A fully convolutional DenseNet (Jegou et al., 2017, arXiv 1611.09326) that applies convolutions of several dilation
rates to the deepest feature map and concatenates them. Only the paper's abstract was available, not its text, so growth
rate and depth are not the authors': four dense blocks of four layers (batch normalisation, ReLU, 3x3 convolution,
dropout 0.2), with the stride and the rates of a re-implementation by the authors of DS U-Net.

Departures from that re-implementation: each of its layers has a block's full width, while here, as in a DenseNet, the
new maps of a block together have that width (a quarter a layer); no bias before batch normalisation, which has
PyTorch's constants. For images of 224 pixels the deepest map has 14, so its branch of rate 18 covers no neighbour.
29.10 M parameters with three input channels; no count was published.
"""

import keras
from keras import layers

from tfrespam.models.blocks import image_input, norm_relu, probability, scaled

LEVELS = (64, 128, 256, 512)


def fc_densenet_ms(input_shape, width=1.0, *, normalization="none", rates=(6, 12, 18), layers_per_block=4,
                   dropout=0.2):  # fmt: skip
    """Build the multi-scale FC-DenseNet.

    Args:
        input_shape: (height, width, channels), sides multiples of 16.
        width: Factor on every channel count.
        normalization: "none", "standardize" (mean 0 and variance 1 of each image) or "local_contrast" (that, and the
            local contrast around each pixel as further channels).
        rates: Dilation rates of the 3x3 convolutions of the deepest map. A 1x1 convolution and the map itself are
            concatenated with them.
        layers_per_block: Layers of a dense block; its new channels are divided among them.
        dropout: Dropout rate after each convolution of the blocks and of the downsampling steps.
    """
    image, features = image_input(input_shape, 16, normalization)
    features = layers.Conv2D(scaled(64, width), 3, padding="same", use_bias=False, name="stem")(features)
    skips = []
    for channels in LEVELS:
        new = _dense(features, scaled(channels, width), layers_per_block, dropout, f"encoder{channels}")
        features = layers.Concatenate(name=f"encoder{channels}")([features, new])
        skips.append(features)
        features = layers.Conv2D(scaled(channels, width), 3, 2, "same", kernel_initializer="he_normal",
                                 name=f"down{channels}")(norm_relu(features, f"down{channels}"))
        features = layers.Dropout(dropout, name=f"down{channels}_dropout")(features)
    features = _scales(features, scaled(512, width), rates)
    for channels in reversed(LEVELS):
        features = layers.Conv2DTranspose(scaled(channels, width), 3, 2, "same", activation="relu",
                                          name=f"up{channels}")(features)
        features = layers.Concatenate(name=f"concat{channels}")([features, skips.pop()])
        features = _dense(features, scaled(channels, width), layers_per_block, dropout, f"decoder{channels}")
    return keras.Model(image, probability(features), name="fc_densenet_ms")


def _dense(features, filters, count, dropout, name):
    """Return the new maps of a dense block; each layer receives the block's input and all earlier maps."""
    new = []
    for index, share in enumerate(_shares(filters, count), 1):
        seen = features if not new else layers.Concatenate(name=f"{name}_{index}_seen")([features, *new])
        maps = layers.Conv2D(share, 3, padding="same", kernel_initializer="he_normal",
                             name=f"{name}_{index}")(norm_relu(seen, f"{name}_{index}"))
        new.append(layers.Dropout(dropout, name=f"{name}_{index}_dropout")(maps))
    return layers.Concatenate(name=f"{name}_new")(new)


def _shares(filters, count):
    """Divide `filters` into `count` integers, each at least 1."""
    return [max(1, filters * (index + 1) // count - filters * index // count) for index in range(count)]


def _scales(features, filters, rates):
    """Concatenate the feature map with its convolutions of several dilation rates; fuse them by a 1x1 convolution."""
    seen = [layers.Conv2D(filters, 1, name="scale_1x1")(features)]
    seen += [layers.Conv2D(filters, 3, padding="same", dilation_rate=rate, name=f"scale_{rate}")(features)
             for rate in rates]  # fmt: skip
    return layers.Conv2D(filters, 1, name="scales")(layers.Concatenate(name="scales_concat")([*seen, features]))
