"""Spatial attention: one weight in (0, 1) for each pixel of each image."""

import keras
from keras import ops

from tfrespam.layers.conv_unit import ConvUnit


@keras.saving.register_keras_serializable("tfrespam")
class SpatialGate(keras.layers.Layer):
    """Spatial attention map M_s = sigmoid(conv7x7([mean over channels, max over channels])), equation (3).

    Args:
        kernel_size: Side of the convolution's kernel.
        use_bias: Give the convolution a bias.
        batch_normalization: Apply batch normalisation after the convolution, as CBAM's published code does.

    Input shape: (N, H, W, C). Output shape: (N, H, W, 1), values in (0, 1).
    """

    def __init__(self, kernel_size=7, use_bias=False, batch_normalization=False, **kwargs):
        super().__init__(**kwargs)
        self.kernel_size = kernel_size
        self.use_bias = use_bias
        self.batch_normalization = batch_normalization

    def build(self, input_shape):
        self.unit = ConvUnit(1, self.kernel_size, batch_normalization=self.batch_normalization, activation="sigmoid",
                             use_bias=self.use_bias, dtype=self.dtype_policy, name="unit")
        self.unit.build((*input_shape[:-1], 2))

    def call(self, inputs):
        mean = ops.mean(ops.cast(inputs, "float32"), axis=-1, keepdims=True)
        planes = [ops.cast(mean, self.compute_dtype), ops.max(inputs, axis=-1, keepdims=True)]
        return self.unit(ops.concatenate(planes, axis=-1))  # (N, H, W, 2) -> (N, H, W, 1)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], 1)

    def get_config(self):
        return {
            **super().get_config(),
            "kernel_size": self.kernel_size,
            "use_bias": self.use_bias,
            "batch_normalization": self.batch_normalization,
        }
