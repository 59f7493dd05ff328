"""Residual bottleneck: 1x1, 3x3 and 1x1 convolutions with a shortcut connection."""

import keras
from keras import ops

from tfrespam.layers.conv_unit import ConvUnit


@keras.saving.register_keras_serializable("tfrespam")
class ResidualBottleneck(keras.layers.Layer):
    """X' = ReLU(H(X) + X), H = 1x1, 3x3, 1x1 convolution: equation (5) of ResPAM U-Net, module of ResNet-50.

    Each convolution is followed by batch normalisation, the first two also by ReLU (He et al., 2016). Where the number
    of channels or the size changes, the shortcut is a 1x1 convolution with batch normalisation.

    Args:
        filters: Channels of the output.
        inner_filters: Channels of the two inner feature maps.
        strides: Stride of the 3x3 convolution and of the shortcut.
        batch_normalization: False omits all batch normalisation and gives the convolutions a bias.

    Input shape: (N, H, W, C). Output shape: (N, ceil(H / strides), ceil(W / strides), filters).
    """

    def __init__(self, filters, inner_filters, strides=1, batch_normalization=True, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.inner_filters = inner_filters
        self.strides = strides
        self.batch_normalization = batch_normalization

    def build(self, input_shape):
        units = [
            self._unit(self.inner_filters, 1, 1, "relu", "reduce"),
            self._unit(self.inner_filters, 3, self.strides, "relu", "convolve"),
            self._unit(self.filters, 1, 1, None, "expand"),
        ]
        shape = input_shape
        for unit in units:
            unit.build(shape)
            shape = unit.compute_output_shape(shape)
        self.units = units
        self.shortcut = None
        if self.strides != 1 or input_shape[-1] != self.filters:
            self.shortcut = self._unit(self.filters, 1, self.strides, None, "shortcut")
            self.shortcut.build(input_shape)

    def _unit(self, filters, kernel_size, strides, activation, name):
        return ConvUnit(filters, kernel_size, strides, self.batch_normalization, activation,
                        dtype=self.dtype_policy, name=name)

    def call(self, inputs):
        outputs = inputs
        for unit in self.units:
            outputs = unit(outputs)
        return ops.relu(outputs + (inputs if self.shortcut is None else self.shortcut(inputs)))

    def compute_output_shape(self, input_shape):
        side = [None if side is None else -(-side // self.strides) for side in input_shape[1:3]]
        return (input_shape[0], *side, self.filters)

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "inner_filters": self.inner_filters,
            "strides": self.strides,
            "batch_normalization": self.batch_normalization,
        }
