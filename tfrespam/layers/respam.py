"""ResPAM, the encoder stage of ResPAM U-Net: residual modules followed by attention."""

import keras

from tfrespam.layers.attention import ATTENTIONS, build_attention
from tfrespam.layers.residual_bottleneck import ResidualBottleneck

PLACEMENTS = ("stage", "module")
DOWNSAMPLINGS = ("residual", "max_pool", "projection")


@keras.saving.register_keras_serializable("tfrespam")
class ResPAM(keras.layers.Layer):
    """Residual modules (equation 5) followed by PAM (equation 6): X' = H(X) + X three times, X'' = PAM(X').

    With PAM's fusion="add" the residual modules have 2 * `filters` output channels and PAM halves them; otherwise they
    have `filters`. For ablations another attention module takes PAM's position. Where PAM would halve the channels, a
    plain 1x1 convolution halves them, so that the networks differ only in their gates.

    Args:
        filters: Channels of the output.
        modules: Number of residual modules.
        strides: Factor by which height and width are reduced.
        expansion: Channels of a residual module's output divided by its inner channels.
        downsampling: Position of the stride: "residual" in the 3x3 convolution of the first module, "max_pool" before
            that module, "projection" in the first attention module's 1x1 convolution.
        placement: Attention once after all modules ("stage"), or after each of them ("module").
        batch_normalization: Use batch normalisation in the residual modules.
        attention: "pam", "cbam", "scse", "se" or "none".
        attention_options: Further arguments of the attention layer.

    Examples:
        >>> ResPAM(32, strides=2)(keras.ops.ones((1, 14, 14, 16))).shape
        TensorShape([1, 7, 7, 32])

    Input shape: (N, H, W, C). Output shape: (N, ceil(H / strides), ceil(W / strides), filters).
    """

    def __init__(self, filters, modules=3, strides=1, expansion=4, downsampling="residual", placement="stage",
                 batch_normalization=True, attention="pam", attention_options=None, **kwargs):
        super().__init__(**kwargs)
        choices = {"downsampling": (downsampling, DOWNSAMPLINGS), "placement": (placement, PLACEMENTS),
                   "attention": (attention, ATTENTIONS)}
        for argument, (value, known) in choices.items():
            if value not in known:
                raise ValueError(f"Argument `{argument}` must be one of {known}. Received: {argument}={value!r}")
        if modules < 1:
            raise ValueError(f"Argument `modules` must be at least 1. Received: modules={modules}")
        if expansion <= 0:
            raise ValueError(f"Argument `expansion` must be above 0. Received: expansion={expansion}")
        self.filters = filters
        self.modules = modules
        self.strides = strides
        self.expansion = expansion
        self.downsampling = downsampling
        self.placement = placement
        self.batch_normalization = batch_normalization
        self.attention = attention
        self.attention_options = dict(attention_options or {})

    @property
    def halves(self):
        """True if attention halves the number of channels of the residual modules."""
        return self.attention_options.get("fusion", "add") == "add"

    def build(self, input_shape):
        self.pool = None
        self.residuals, self.attentions = [], []
        if self.downsampling == "max_pool" and self.strides > 1:
            self.pool = keras.layers.MaxPooling2D(self.strides, padding="same", dtype=self.dtype_policy, name="pool")
        shape = input_shape if self.pool is None else self.pool.compute_output_shape(input_shape)
        for index in range(self.modules):
            shape = self._add(self.residuals, self._residual(index), shape)
            if self.placement == "module" or index == self.modules - 1:
                shape = self._add(self.attentions, self._attention(len(self.attentions)), shape)

    def _residual(self, index):
        width = 2 * self.filters if self.halves else self.filters
        strides = self.strides if index == 0 and self.downsampling == "residual" else 1
        return ResidualBottleneck(width, max(1, width // self.expansion), strides, self.batch_normalization,
                                  dtype=self.dtype_policy, name=f"residual_{index + 1}")

    def _attention(self, index):
        strides = self.strides if index == 0 and self.downsampling == "projection" else 1
        return build_attention(self.attention, self.attention_options, strides, dtype=self.dtype_policy,
                               name=f"attention_{index + 1}")

    def _add(self, layers, layer, shape):
        layer.build(shape)
        layers.append(layer)
        return layer.compute_output_shape(shape)

    def call(self, inputs):
        outputs = inputs if self.pool is None else self.pool(inputs)
        for index, residual in enumerate(self.residuals):
            outputs = residual(outputs)
            if self.placement == "module":
                outputs = self.attentions[index](outputs)
        return outputs if self.placement == "module" else self.attentions[0](outputs)

    def compute_output_shape(self, input_shape):
        side = [None if side is None else -(-side // self.strides) for side in input_shape[1:3]]
        return (input_shape[0], *side, self.filters)

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "modules": self.modules,
            "strides": self.strides,
            "expansion": self.expansion,
            "downsampling": self.downsampling,
            "placement": self.placement,
            "batch_normalization": self.batch_normalization,
            "attention": self.attention,
            "attention_options": self.attention_options,
        }
