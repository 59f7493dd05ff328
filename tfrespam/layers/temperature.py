"""Temperature scaling: calibration of probabilities by one stored number, inside the network."""

import keras
from keras import ops

_EPSILON = 1e-6  # float32 sigmoids reach 0 and 1, whose logits are infinite


@keras.saving.register_keras_serializable("tfrespam")
class Temperature(keras.layers.Layer):
    """Temperature scaling, sigmoid(logit(probability) / T), in float32 under every precision policy.

    T is a non-trainable weight, fitted by `tfrespam.evaluation.calibration.fit_temperature`. A probability of 0.5 stays
    0.5, so masks at that threshold do not change. Guo et al. 2017, arXiv 1706.04599.

    Args:
        temperature: T, above 0; a value above 1 moves probabilities towards 0.5.

    Input shape and output shape: any; values in [0, 1].
    """

    def __init__(self, temperature=1.0, **kwargs):
        super().__init__(**kwargs)
        if not temperature > 0:
            raise ValueError(f"Argument `temperature` must be above 0. Received: temperature={temperature}")
        self.temperature = temperature
        self.autocast = False

    def build(self, input_shape):
        self.divisor = self.add_weight(shape=(), initializer=keras.initializers.Constant(self.temperature),
                                       dtype="float32", trainable=False, name="temperature")  # fmt: skip

    def call(self, inputs):
        probability = ops.clip(ops.cast(inputs, "float32"), _EPSILON, 1.0 - _EPSILON)
        logit = ops.log(probability) - ops.log1p(-probability)
        return ops.cast(ops.sigmoid(logit / self.divisor), self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "temperature": self.temperature}
