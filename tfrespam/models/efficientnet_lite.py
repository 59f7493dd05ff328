"""EfficientNet-Lite0: Tan & Le, ICML 2019, arXiv 1905.11946, in the variant for mobile devices by TensorFlow's authors.

Inverted residual blocks (Sandler et al., CVPR 2018, doi 10.1109/CVPR.2018.00474) without the squeeze-and-excitation of
EfficientNet-B0, with ReLU6 and a stem of fixed width. keras.applications does not include it.

Departures: no classifier and no head convolution; no drop-connect, which has little effect with 16 blocks.
"""

from keras import layers

from tfrespam.models.blocks import scaled

# (expansion, channels, blocks, kernel, stride of the first block)
STAGES = ((1, 16, 1, 3, 1), (6, 24, 2, 3, 2), (6, 40, 2, 5, 2), (6, 80, 3, 3, 2), (6, 112, 3, 5, 1), (6, 192, 4, 5, 2),
          (6, 320, 1, 3, 1))  # fmt: skip
STEM = 32


def efficientnet_lite0(features, width=1.0):
    """Return the feature maps of EfficientNet-Lite0 at strides 2, 4, 8, 16 and 32, finest first.

    Layers are named stem, stem_bn, block<n>_expand, block<n>_depthwise, block<n>_project and their `_bn`.

    Args:
        features: Tensor (N, H, W, 3), sides multiples of 32; the published weights expect about mean 0, variance 1.
        width: Factor on every channel count.
    """
    filters = scaled(STEM, width)
    features = _norm_relu(_convolution(features, filters, "stem", 3, 2), "stem")
    pyramid, number = [], 0
    for expansion, channels, blocks, kernel, first_stride in STAGES:
        for index in range(blocks):
            stride = first_stride if index == 0 else 1
            if stride == 2:
                pyramid.append(features)
            features = _block(features, expansion, scaled(channels, width), kernel, stride, f"block{number}")
            number += 1
    return [*pyramid, features]


def _block(features, expansion, filters, kernel, stride, name):
    entry, inner = features, features
    if expansion > 1:
        inner = _convolution(inner, expansion * features.shape[-1], f"{name}_expand")
        inner = _norm_relu(inner, f"{name}_expand")
    inner = layers.DepthwiseConv2D(kernel, stride, "same", use_bias=False, name=f"{name}_depthwise")(inner)
    inner = _norm_relu(inner, f"{name}_depthwise")
    inner = _norm(_convolution(inner, filters, f"{name}_project"), f"{name}_project")
    if stride == 1 and entry.shape[-1] == filters:
        return layers.Add(name=f"{name}_add")([inner, entry])
    return inner


def _convolution(features, filters, name, kernel=1, stride=1):
    return layers.Conv2D(filters, kernel, stride, "same", use_bias=False, kernel_initializer="he_normal",
                         name=name)(features)  # fmt: skip


def _norm(features, name):
    """Apply batch normalisation with the constants that the published weights were trained with."""
    return layers.BatchNormalization(momentum=0.99, epsilon=1e-3, name=f"{name}_bn")(features)


def _norm_relu(features, name):
    return layers.ReLU(max_value=6.0, name=f"{name}_relu")(_norm(features, name))
