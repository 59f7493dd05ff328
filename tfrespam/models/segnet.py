"""SegNet: Badrinarayanan, Kendall, Cipolla, IEEE TPAMI 39(12):2481-2495, 2017, doi 10.1109/TPAMI.2016.2644615.

The encoder is the 13 convolutions of VGG-16. The decoder mirrors it and unpools each value to the pixel from which the
encoder's max-pooling took it. There are no other skips.

Departures: one output channel with a sigmoid; no bias before batch normalisation, which would cancel it; no ImageNet
weights.
"""

import keras

from tfrespam.layers import ArgmaxPooling2D, MaxUnpooling2D
from tfrespam.models.blocks import conv_relus, image_input, probability, scaled

ENCODER = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
DECODER = ((512, 512, 512), (512, 512, 256), (256, 256, 128), (128, 64), (64,))


def segnet(input_shape, width=1.0, *, normalization="none"):
    """Build SegNet.

    Args:
        input_shape: (height, width, channels), sides multiples of 32.
        width: Factor on every channel count.
        normalization: "none", "standardize" (mean 0 and variance 1 of each image) or "local_contrast" (that, and the
            local contrast around each pixel as further channels).
    """
    image, features = image_input(input_shape, 32, normalization)
    places = []
    for level, channels in enumerate(ENCODER, 1):
        features = _convolve(features, channels, width, f"encoder{level}")
        features, place = ArgmaxPooling2D(name=f"pool{level}")(features)
        places.append(place)
    for level, channels in zip((5, 4, 3, 2, 1), DECODER, strict=True):
        features = MaxUnpooling2D(name=f"unpool{level}")(features, places.pop())
        features = _convolve(features, channels, width, f"decoder{level}")
    return keras.Model(image, probability(features, kernel_size=3), name="segnet")


def _convolve(features, channels, width, name):
    return conv_relus(features, [scaled(count, width) for count in channels], name, batch_normalization=True)
