"""Max-pooling with argmax indices, as in SegNet's encoder."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("tfrespam")
class ArgmaxPooling2D(keras.layers.Layer):
    """2x2 max-pooling with stride 2 that also returns the index of each maximum (Badrinarayanan et al., 2017).

    The index counts inside the window: 0 and 1 are its upper row, 2 and 3 the lower one; among equal values the first
    is taken. The gradient flows only to that pixel. The layer consists of reshapes and comparisons, so that XLA can
    compile it and the result is bitwise equal on any number of devices; `tf.nn.max_pool_with_argmax` offers neither.

    Input shape: (N, H, W, C), H and W even.
    Output: maxima (N, H / 2, W / 2, C), and their indices, int32 of the same shape.
    """

    def build(self, input_shape):
        if any(side is not None and side % 2 for side in input_shape[1:3]):
            raise ValueError(f"Height and width must be even. Received: input_shape={input_shape}")

    def call(self, inputs):
        _, height, width, channels = ops.shape(inputs)
        windows = ops.reshape(inputs, (-1, height // 2, 2, width // 2, 2, channels))
        windows = ops.transpose(windows, (0, 1, 3, 2, 4, 5))
        windows = ops.reshape(windows, (-1, height // 2, width // 2, 4, channels))
        places = ops.argmax(windows, axis=3)
        chosen = ops.one_hot(places, 4, axis=3, dtype=windows.dtype)
        return ops.sum(windows * chosen, axis=3), ops.cast(places, "int32")

    def compute_output_spec(self, inputs):
        shape = self.compute_output_shape(inputs.shape)[0]
        return keras.KerasTensor(shape, self.compute_dtype), keras.KerasTensor(shape, "int32")

    def compute_output_shape(self, input_shape):
        side = [None if side is None else side // 2 for side in input_shape[1:3]]
        shape = (input_shape[0], *side, input_shape[-1])
        return shape, shape
