"""Each pixel against its neighbourhood, inside the network: what CLAHE does for others, but linear and without bins."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("tfrespam")
class LocalContrast(keras.layers.Layer):
    """(pixel - mean) / deviation, both over the square window around the pixel.

    A mass keeps its contrast beside a white film border, a label or the black beyond the film, each of which decides
    mean and variance of a whole crop. Near the picture's edge only the window's pixels inside count. Computed in
    float32 whatever the policy.

    Args:
        window: Side of the window in pixels.
        epsilon: Added to the variance. 1e-6 is a grey-value deviation of 0.001 on the scale [0, 1].

    Input shape and output shape: (N, H, W, C).
    """

    def __init__(self, window=33, epsilon=1e-6, **kwargs):
        super().__init__(**kwargs)
        if window < 2:
            raise ValueError(f"Argument `window` must be at least 2 pixels. Received: window={window}")
        self.window = window
        self.epsilon = epsilon
        self.autocast = False  # a policy must not round the grey values before they are centred

    def call(self, inputs):
        pixels = ops.cast(inputs, "float32")
        pixels = pixels - ops.mean(pixels, axis=(1, 2, 3), keepdims=True)  # mean of squares - squared mean stays exact
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
