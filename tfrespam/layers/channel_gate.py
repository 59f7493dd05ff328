"""Channel attention: one weight in (0, 1) for each channel of each image."""

import keras
from keras import ops

from tfrespam.layers.conv_unit import ConvUnit

_DESCRIPTORS = {"mean": ops.mean, "max": ops.max}


@keras.saving.register_keras_serializable("tfrespam")
class ChannelGate(keras.layers.Layer):
    """Channel attention map M_c = sigmoid(CRC(mean over pixels) + CRC(max over pixels)), equation (2) of ResPAM U-Net.

    CRC is a 1x1 convolution to C / reduction channels, ReLU, and a 1x1 convolution back to C. With
    descriptors=("mean",) it is the gate of squeeze-and-excitation (Hu et al., 2018); with both, that of CBAM (Woo et
    al., 2018, reduction 16).

    Args:
        reduction: C divided by the width between the two 1x1 convolutions; that width is at least 1.
        descriptors: Statistics of each channel over all pixels: "mean", "max" or both, in this order.
        shared: Use the same CRC for all descriptors.
        use_bias: Give the 1x1 convolutions a bias.

    Input shape: (N, H, W, C). Output shape: (N, 1, 1, C), values in (0, 1).
    """

    def __init__(self, reduction=16, descriptors=("mean", "max"), shared=True, use_bias=True, **kwargs):
        super().__init__(**kwargs)
        if reduction < 1:
            raise ValueError(f"Argument `reduction` must be at least 1. Received: reduction={reduction}")
        if not descriptors or not set(descriptors) <= set(_DESCRIPTORS):
            raise ValueError(f"Argument `descriptors` must hold names of {tuple(_DESCRIPTORS)}. "
                             f"Received: descriptors={descriptors}")
        self.reduction = reduction
        self.descriptors = tuple(descriptors)
        self.shared = shared
        self.use_bias = use_bias

    def build(self, input_shape):
        channels = input_shape[-1]
        reduced = max(1, round(channels / self.reduction))
        names = ["crc"] if self.shared else [f"crc_{name}" for name in self.descriptors]
        self.reduce = [self._conv(reduced, channels, "relu", f"{name}_reduce") for name in names]
        self.expand = [self._conv(channels, reduced, None, f"{name}_expand") for name in names]

    def _conv(self, filters, channels, activation, name):
        layer = ConvUnit(filters, 1, activation=activation, use_bias=self.use_bias, dtype=self.dtype_policy, name=name)
        layer.build((None, 1, 1, channels))
        return layer

    def call(self, inputs):
        total = 0
        for index, name in enumerate(self.descriptors):
            branch = 0 if self.shared else index
            # float32: the sum over a 112 x 112 map exceeds the range of float16
            descriptor = _DESCRIPTORS[name](ops.cast(inputs, "float32"), axis=(1, 2), keepdims=True)
            descriptor = ops.cast(descriptor, self.compute_dtype)  # (N, 1, 1, C)
            total += self.expand[branch](self.reduce[branch](descriptor))
        return ops.sigmoid(total)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], 1, 1, input_shape[-1])

    def get_config(self):
        return {
            **super().get_config(),
            "reduction": self.reduction,
            "descriptors": self.descriptors,
            "shared": self.shared,
            "use_bias": self.use_bias,
        }
