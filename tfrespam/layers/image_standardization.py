"""Per-image standardisation of grey values, inside the network."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("tfrespam")
class ImageStandardization(keras.layers.Layer):
    """Standardisation of each image to mean 0 and variance 1 over height, width and channels.

    Computed in float32 under every precision policy. A constant image becomes all zeros.

    Args:
        epsilon: Added to the variance. 1e-6 corresponds to a standard deviation of 0.001 of grey values in [0, 1].

    Input shape and output shape: (N, H, W, C).
    """

    def __init__(self, epsilon=1e-6, **kwargs):
        super().__init__(**kwargs)
        self.epsilon = epsilon
        self.autocast = False  # a precision policy must not round the grey values before they are centred

    def call(self, inputs):
        pixels = ops.cast(inputs, "float32")
        centred = pixels - ops.mean(pixels, axis=(1, 2, 3), keepdims=True)
        variance = ops.mean(ops.square(centred), axis=(1, 2, 3), keepdims=True)
        return ops.cast(centred * ops.rsqrt(variance + self.epsilon), self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "epsilon": self.epsilon}
