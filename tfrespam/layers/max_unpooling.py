"""Max-unpooling, the inverse of ArgmaxPooling2D, as in SegNet's decoder."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("tfrespam")
class MaxUnpooling2D(keras.layers.Layer):
    """Max-unpooling: puts each value at the index that `ArgmaxPooling2D` recorded in its 2x2 window, and 0 elsewhere.

    Call arguments: values (N, H, W, C), and indices `places` (N, H, W, C), integers from 0 to 3.
    Output shape: (N, 2 H, 2 W, C).
    """

    def call(self, values, places):
        _, height, width, channels = ops.shape(values)
        chosen = ops.one_hot(places, 4, axis=3, dtype=values.dtype)  # (N, H, W, 4, C)
        windows = ops.expand_dims(values, 3) * chosen
        windows = ops.reshape(windows, (-1, height, width, 2, 2, channels))
        windows = ops.transpose(windows, (0, 1, 3, 2, 4, 5))
        return ops.reshape(windows, (-1, 2 * height, 2 * width, channels))

    def compute_output_spec(self, values, places):
        return keras.KerasTensor(self.compute_output_shape(values.shape), self.compute_dtype)

    def compute_output_shape(self, values_shape, places_shape=None):
        side = [None if side is None else 2 * side for side in values_shape[1:3]]
        return (values_shape[0], *side, values_shape[-1])
