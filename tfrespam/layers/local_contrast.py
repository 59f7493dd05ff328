"""Local contrast normalisation, inside the network: similar in purpose to CLAHE, but linear and without bins."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("tfrespam")
class LocalContrast(keras.layers.Layer):
    """Local contrast: (pixel - mean) / standard deviation, both over the square window around the pixel.

    A mass keeps its contrast beside a white film border, a label or the black area outside the film, any of which
    dominates mean and variance of a whole crop. Near the image's edge only the part of the window inside the image
    counts. Computed in float32 under every precision policy.

    Args:
        window: Side of the window in pixels, at least 2.
        epsilon: Added to the variance. 1e-6 corresponds to a standard deviation of 0.001 of grey values in [0, 1].

    Input shape and output shape: (N, H, W, C).
    """

    def __init__(self, window=33, epsilon=1e-6, **kwargs):
        super().__init__(**kwargs)
        if window < 2:
            raise ValueError(f"Argument `window` must be at least 2 pixels. Received: window={window}")
        self.window = window
        self.epsilon = epsilon
        self.autocast = False  # a precision policy must not round the grey values before they are centred

    def call(self, inputs):
        pixels = ops.cast(inputs, "float32")
        pixels = pixels - ops.mean(pixels, axis=(1, 2, 3), keepdims=True)  # centred: keeps E[x^2] - E[x]^2 accurate
        mean = self._window_mean(pixels)
        variance = ops.maximum(self._window_mean(ops.square(pixels)) - ops.square(mean), 0.0)
        return ops.cast((pixels - mean) * ops.rsqrt(variance + self.epsilon), self.compute_dtype)

    def _window_mean(self, pixels):
        rows = ops.average_pool(pixels, (self.window, 1), 1, "same", "channels_last")
        return ops.average_pool(rows, (1, self.window), 1, "same", "channels_last")

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "window": self.window, "epsilon": self.epsilon}
