"""Atrous spatial pyramid pooling (ASPP), as in Connected-UNets."""

import keras

from tfrespam.layers.conv_unit import ConvUnit


@keras.saving.register_keras_serializable("tfrespam")
class ASPP(keras.layers.Layer):
    """Parallel 3x3 convolutions of several dilation rates with batch normalisation, summed, then a 1x1 convolution.

    After Baccouche et al., npj Breast Cancer 7:151 (2021), who add the branches instead of concatenating them. A branch
    whose rate is at least the side of the map covers no neighbour: on a 14 x 14 map, rate 18 is a 1x1 convolution.

    Args:
        filters: Channels of every branch and of the output.
        rates: Dilation rate of each branch.

    Input shape: (N, H, W, C). Output shape: (N, H, W, filters).
    """

    def __init__(self, filters, rates=(6, 12, 18, 1), **kwargs):
        super().__init__(**kwargs)
        if not rates or min(rates) < 1:
            raise ValueError(f"Argument `rates` must hold dilation rates of at least 1. Received: rates={rates}")
        self.filters = filters
        self.rates = tuple(rates)

    def build(self, input_shape):
        self.branches = [
            ConvUnit(self.filters, 3, batch_normalization=True, dilation_rate=rate, dtype=self.dtype_policy,
                     name=f"rate_{rate}")
            for rate in self.rates
        ]
        self.fuse = ConvUnit(self.filters, 1, dtype=self.dtype_policy, name="fuse")
        for branch in self.branches:
            branch.build(input_shape)
        self.fuse.build(self.compute_output_shape(input_shape))

    def call(self, inputs):
        return self.fuse(sum(branch(inputs) for branch in self.branches))

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.filters)

    def get_config(self):
        return {**super().get_config(), "filters": self.filters, "rates": self.rates}
