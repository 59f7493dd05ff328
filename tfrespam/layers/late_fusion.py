"""Late fusion of deep features of several images of one breast."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("tfrespam")
class LateFusion(keras.layers.Layer):
    """Concatenation of the first image's features, the mean of the others', and a flag that others exist.

    A missing image is black. It does not enter the mean; where all others are missing, mean and flag are 0.

    Args:
        aligned: The images match pixel by pixel, as low-energy and subtracted images do. If False, as for CC and MLO,
            the others' features are first averaged over all pixels: spatial positions do not correspond between views.

    Inputs: the images as channels (N, H, W, C), and for each of the C images the features (N, h, w, F).
    Output shape: (N, h, w, 2 F + 1).
    """

    def __init__(self, aligned=False, **kwargs):
        super().__init__(**kwargs)
        self.aligned = aligned

    def call(self, inputs):
        images, first, *others = inputs
        present = ops.cast(ops.max(images, axis=(1, 2), keepdims=True) > 0, first.dtype)  # (N, 1, 1, C)
        total, count = ops.zeros_like(first), ops.zeros_like(present[..., :1])
        for k, features in enumerate(others, 1):
            if not self.aligned:
                features = ops.mean(features, axis=(1, 2), keepdims=True)
            total += present[..., k : k + 1] * features
            count += present[..., k : k + 1]
        flag = ops.zeros_like(first[..., :1]) + ops.minimum(count, 1)
        return ops.concatenate([first, total / ops.maximum(count, 1), flag], axis=-1)

    def compute_output_shape(self, input_shape):
        first = input_shape[1]
        return (*first[:3], 2 * first[3] + 1)

    def get_config(self):
        return {**super().get_config(), "aligned": self.aligned}
