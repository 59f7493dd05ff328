"""Connected-SegNets: Alkhaleefah et al., Cancers 14(16):4030, 2022, doi 10.3390/cancers14164030.

Two SegNets in sequence. Each level of the second encoder also receives the first decoder's feature map of equal size.

The paper's text was not available. The layers follow a third-party Keras implementation of that name (63.16 M
parameters). Departures from it: a sigmoid instead of a clipped ReLU; no bias before batch normalisation, which has
PyTorch's constants; no dilation except in the last convolution, which has rate 3 as in that implementation.
"""

import keras
from keras import layers

from tfrespam.layers import ArgmaxPooling2D, MaxUnpooling2D
from tfrespam.models.blocks import conv_relu, conv_relus, image_input, probability, scaled

ENCODER1 = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
ENCODER2 = ((64, 64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
DECODER = {5: (512, 512, 512), 4: (512, 512, 256), 3: (256, 256, 128), 2: (128, 128, 64)}


def connected_segnets(input_shape, width=1.0, *, normalization="none"):
    """Build Connected-SegNets.

    Args:
        input_shape: (height, width, channels), sides multiples of 32.
        width: Factor on every channel count.
        normalization: "none", "standardize" (mean 0 and variance 1 of each image) or "local_contrast" (that, and the
            local contrast around each pixel as further channels).
    """
    image, features = image_input(input_shape, 32, normalization)
    features, places = _encode(features, ENCODER1, width, "first")
    features, decoded = _decode(features, places, width, "first")
    features, places = _encode(features, ENCODER2, width, "second", decoded)
    features, _ = _decode(features, places, width, "second")
    features = conv_relu(features, scaled(64, width), "head_1", batch_normalization=True)
    features = conv_relu(features, scaled(64, width), "head_2", dilation_rate=3, batch_normalization=True)
    return keras.Model(image, probability(features), name="connected_segnets")


def _encode(features, blocks, width, name, connections=None):
    """Encode down to 1/32; levels from 2 on also receive the feature maps in `connections`."""
    places = []
    for level, channels in enumerate(blocks, 1):
        if connections and level > 1:
            features = layers.Concatenate(name=f"{name}_connect{level}")([features, connections[level]])
        features = _convolve(features, channels, width, f"{name}_encoder{level}")
        features, place = ArgmaxPooling2D(name=f"{name}_pool{level}")(features)
        places.append(place)
    return features, places


def _decode(features, places, width, name):
    """Decode to full size, where the last step is unpooling only; also return the features of levels 2 to 5."""
    decoded = {}
    for level, channels in DECODER.items():
        features = MaxUnpooling2D(name=f"{name}_unpool{level}")(features, places[level - 1])
        features = _convolve(features, channels, width, f"{name}_decoder{level}")
        decoded[level] = features
    return MaxUnpooling2D(name=f"{name}_unpool1")(features, places[0]), decoded


def _convolve(features, channels, width, name):
    return conv_relus(features, [scaled(count, width) for count in channels], name, batch_normalization=True)
