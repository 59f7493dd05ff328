"""Convolution with optional batch normalisation and activation, the building block of the other layers."""

import keras

_NARROW = 16  # channels


@keras.saving.register_keras_serializable("tfrespam")
class ConvUnit(keras.layers.Layer):
    """2-D convolution with "same" padding, then optional batch normalisation, then an optional activation.

    Batch normalisation uses PyTorch's constants (running averages 0.9 old + 0.1 new, epsilon 1e-5), like the PyTorch
    U-Net from which the details that the ResPAM paper omits are taken; Keras' defaults are 0.99 and 1e-3. These
    averages also converge within the few hundred steps of a small training.

    Args:
        filters: Channels of the output.
        kernel_size: Side of the square kernel.
        strides: Step in both directions.
        batch_normalization: Apply batch normalisation after the convolution.
        activation: Name of a Keras activation, or None.
        use_bias: Give the convolution a bias. None: only without batch normalisation.
        dilation_rate: Spacing of the kernel's taps.

    Input shape: (N, H, W, C). Output shape: (N, ceil(H / strides), ceil(W / strides), filters).
    """

    def __init__(self, filters, kernel_size, strides=1, batch_normalization=False, activation=None, use_bias=None,
                 dilation_rate=1, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.kernel_size = kernel_size
        self.strides = strides
        self.batch_normalization = batch_normalization
        self.activation = activation
        self.use_bias = use_bias
        self.dilation_rate = dilation_rate

    def build(self, input_shape):
        bias = not self.batch_normalization if self.use_bias is None else self.use_bias
        # oneDNN 3.7.3 (TensorFlow 2.21) writes out of bounds in the gradient of a narrow, strided 1x1 convolution
        self.step_first = self.strides if self.kernel_size == 1 and input_shape[-1] < _NARROW else 1
        self.convolution = keras.layers.Conv2D(
            self.filters, self.kernel_size, self.strides // self.step_first, "same",
            dilation_rate=self.dilation_rate, use_bias=bias,
            dtype=self.dtype_policy, name="convolution",
            kernel_initializer="he_normal" if self.activation == "relu" else "glorot_uniform")
        self.convolution.build(input_shape)
        self.normalization = None
        if self.batch_normalization:
            self.normalization = keras.layers.BatchNormalization(
                momentum=0.9, epsilon=1e-5, dtype=self.dtype_policy, name="normalization")
            self.normalization.build(self.compute_output_shape(input_shape))
        self.function = keras.activations.get(self.activation)

    def call(self, inputs):
        if self.step_first > 1:
            inputs = inputs[:, :: self.step_first, :: self.step_first]
        outputs = self.convolution(inputs)
        if self.normalization is not None:
            outputs = self.normalization(outputs)
        return self.function(outputs)

    def compute_output_shape(self, input_shape):
        def ceil(side):
            return None if side is None else -(-side // self.strides)

        return (input_shape[0], ceil(input_shape[1]), ceil(input_shape[2]), self.filters)

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "batch_normalization": self.batch_normalization,
            "activation": self.activation,
            "use_bias": self.use_bias,
            "dilation_rate": self.dilation_rate,
        }
