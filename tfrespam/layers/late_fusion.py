"""Where deep features of several pictures of one breast meet."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("tfrespam")
class LateFusion(keras.layers.Layer):
    """Beside the first picture's features the mean of the other pictures', and whether there is any other.

    A picture that is missing is black: it takes no part in the mean, and where all others are missing mean and flag are
    0.

    Args:
        aligned: Whether the pictures show the same pixel by pixel, as low-energy and subtracted ones do. If not, as
            with CC and MLO, the others' features are averaged over the picture first: where they lie says nothing.

    Inputs: the pictures (N, H, W, C), and for each of the C the features (N, h, w, F).
    Output shape: (N, h, w, 2 F + 1).
    """

    def __init__(self, aligned=False, **kwargs):
        super().__init__(**kwargs)
        self.aligned = aligned

    def call(self, inputs):
        pictures, first, *others = inputs
        there = ops.cast(ops.max(pictures, axis=(1, 2), keepdims=True) > 0, first.dtype)  # (N, 1, 1, C)
        total, count = ops.zeros_like(first), ops.zeros_like(there[..., :1])
        for k, features in enumerate(others, 1):
            if not self.aligned:
                features = ops.mean(features, axis=(1, 2), keepdims=True)
            total += there[..., k : k + 1] * features
            count += there[..., k : k + 1]
        flag = ops.zeros_like(first[..., :1]) + ops.minimum(count, 1)
        return ops.concatenate([first, total / ops.maximum(count, 1), flag], axis=-1)

    def compute_output_shape(self, input_shape):
        first = input_shape[1]
        return (*first[:3], 2 * first[3] + 1)

    def get_config(self):
        return {**super().get_config(), "aligned": self.aligned}
