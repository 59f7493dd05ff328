"""Multi-scale FC-DenseNet: Hai et al., J. Healthcare Engineering 2019:8415485, doi 10.1155/2019/8415485.

A fully convolutional DenseNet (Jegou et al., 2017, arXiv 1611.09326) whose deepest feature is seen at several dilation
rates, which are stacked. The paper's text was not at hand, only its abstract, so growth rate and depth are not the
authors': four dense blocks of four layers (batch normalisation, ReLU, 3x3 convolution, dropout 0.2), with the stride
and the rates of a re-implementation by the authors of DS U-Net.

Departures: of that re-implementation, whose layers each have a block's full width, while here, as in a DenseNet, a
block's new maps together have it (a quarter a layer); no bias in front of batch normalisation and PyTorch's constants
in it. On pictures of 224 pixels the deepest feature has 14: its branch of rate 18 sees no neighbour. 29.10 M parameters
with three input channels; no count was published.
"""

import keras
from keras import layers

from tfrespam.models.blocks import image_input, norm_relu, probability, scaled

LEVELS = (64, 128, 256, 512)


def fc_densenet_ms(input_shape, width=1.0, *, normalization="none", rates=(6, 12, 18), layers_per_block=4,
                   dropout=0.2):  # fmt: skip
    """Multi-scale FC-DenseNet.

    Args:
        input_shape: (height, width, channels), sides multiples of 16.
        width: Factor on every channel count.
        normalization: As in `tfrespam.models.blocks.image_input`.
        rates: Dilation rates of the deepest feature's 3x3 convolutions, beside a 1x1 convolution and the feature.
        layers_per_block: Layers of a dense block, among which its new channels are shared out.
        dropout: Share of features dropped after each convolution of the blocks and of the way down.
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
    """The new maps of a dense block: each layer sees the block's input and all maps before it."""
    new = []
    for index, share in enumerate(_shares(filters, count), 1):
        seen = features if not new else layers.Concatenate(name=f"{name}_{index}_seen")([features, *new])
        made = layers.Conv2D(share, 3, padding="same", kernel_initializer="he_normal",
                             name=f"{name}_{index}")(norm_relu(seen, f"{name}_{index}"))
        new.append(layers.Dropout(dropout, name=f"{name}_{index}_dropout")(made))
    return layers.Concatenate(name=f"{name}_new")(new)


def _shares(filters, count):
    """`filters` as `count` whole numbers, at least 1 each."""
    return [max(1, filters * (index + 1) // count - filters * index // count) for index in range(count)]


def _scales(features, filters, rates):
    """The feature beside its convolutions of several reaches, joined by a 1x1 convolution."""
    seen = [layers.Conv2D(filters, 1, name="scale_1x1")(features)]
    seen += [layers.Conv2D(filters, 3, padding="same", dilation_rate=rate, name=f"scale_{rate}")(features)
             for rate in rates]  # fmt: skip
    return layers.Conv2D(filters, 1, name="scales")(layers.Concatenate(name="scales_concat")([*seen, features]))
