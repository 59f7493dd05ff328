"""PAM, the parallel attention module of ResPAM U-Net: channel and spatial attention in parallel, then summed."""

import keras
from keras import ops

from tfrespam.layers.channel_gate import ChannelGate
from tfrespam.layers.conv_unit import ConvUnit
from tfrespam.layers.spatial_gate import SpatialGate

FUSIONS = ("add", "concat", "add_and_restore")
FUSION_WEIGHTS = ("none", "scalar", "channel")


@keras.saving.register_keras_serializable("tfrespam")
class PAM(keras.layers.Layer):
    """Parallel attention module, equations (1) to (4) of ResPAM U-Net.

    F' = conv1x1(F) to half the channels; M_c = sigmoid(CRC(mean) + CRC(max)); M_s = sigmoid(conv7x7([mean, max]));
    F'' = M_c * F' + M_s * F'. The defaults follow these equations literally; the arguments cover the choices that the
    paper leaves open.

    Args:
        reduction: Channels of F' divided by the inner width of CRC (not stated in the paper; 16 as in CBAM).
        fusion: "add" is equation (4) and gives half the input's channels. "concat" concatenates the two branches;
            "add_and_restore" adds them and restores the input's number of channels by a 1x1 convolution.
        fusion_weights: "none" is equation (4). The text mentions a "learnable weighted fusion": "scalar" learns a
            factor for each branch, "channel" one for each branch and channel; all are initialised to 1.
        shared_crc: Use the same CRC for mean and max (equation 2); figure 1 of the paper shows two.
        crc_bias: Give CRC's convolutions a bias.
        spatial_bias: Give the 7x7 convolution a bias.
        spatial_batch_normalization: Apply batch normalisation after the 7x7 convolution.
        projection_batch_normalization: Apply batch normalisation after the first 1x1 convolution.
        projection_activation: Activation of the first 1x1 convolution, or None.
        strides: Stride of the first 1x1 convolution.

    Examples:
        >>> PAM()(keras.ops.ones((2, 14, 14, 256))).shape
        TensorShape([2, 14, 14, 128])

    Input shape: (N, H, W, C), C even. Output shape: (N, ceil(H / strides), ceil(W / strides), C / 2), or C channels
    under fusion="concat" and "add_and_restore".
    """

    def __init__(self, reduction=16, fusion="add", fusion_weights="none", shared_crc=True, crc_bias=True,
                 spatial_bias=False, spatial_batch_normalization=False, projection_batch_normalization=False,
                 projection_activation=None, strides=1, **kwargs):
        super().__init__(**kwargs)
        if fusion not in FUSIONS:
            raise ValueError(f"Argument `fusion` must be one of {FUSIONS}. Received: fusion={fusion!r}")
        if fusion_weights not in FUSION_WEIGHTS:
            raise ValueError(f"Argument `fusion_weights` must be one of {FUSION_WEIGHTS}. "
                             f"Received: fusion_weights={fusion_weights!r}")
        self.reduction = reduction
        self.fusion = fusion
        self.fusion_weights = fusion_weights
        self.shared_crc = shared_crc
        self.crc_bias = crc_bias
        self.spatial_bias = spatial_bias
        self.spatial_batch_normalization = spatial_batch_normalization
        self.projection_batch_normalization = projection_batch_normalization
        self.projection_activation = projection_activation
        self.strides = strides

    def build(self, input_shape):
        channels = input_shape[-1]
        if channels is None or channels % 2:
            raise ValueError("PAM halves the channels, so the input must have an even number of them. "
                             f"Received: input_shape={input_shape}")
        self.projection = ConvUnit(
            channels // 2, 1, self.strides, self.projection_batch_normalization, self.projection_activation,
            dtype=self.dtype_policy, name="projection")
        self.channel_gate = ChannelGate(
            self.reduction, shared=self.shared_crc, use_bias=self.crc_bias, dtype=self.dtype_policy,
            name="channel_gate")
        self.spatial_gate = SpatialGate(
            use_bias=self.spatial_bias, batch_normalization=self.spatial_batch_normalization, dtype=self.dtype_policy,
            name="spatial_gate")
        self.projection.build(input_shape)
        half = self.projection.compute_output_shape(input_shape)
        self.channel_gate.build(half)
        self.spatial_gate.build(half)
        self._build_fusion(half)

    def _build_fusion(self, half):
        self.alpha = self.beta = self.restore = None
        if self.fusion_weights != "none":
            shape = () if self.fusion_weights == "scalar" else half[-1:]
            self.alpha = self.add_weight(shape=shape, initializer="ones", name="alpha")
            self.beta = self.add_weight(shape=shape, initializer="ones", name="beta")
        if self.fusion == "add_and_restore":
            self.restore = ConvUnit(2 * half[-1], 1, dtype=self.dtype_policy, name="restore")
            self.restore.build(half)

    def call(self, inputs):
        features = self.projection(inputs)  # F': (N, H, W, C / 2)
        by_channel = self.channel_gate(features) * features
        by_pixel = self.spatial_gate(features) * features
        if self.alpha is not None:
            by_channel, by_pixel = self.alpha * by_channel, self.beta * by_pixel
        if self.fusion == "concat":
            return ops.concatenate([by_channel, by_pixel], axis=-1)
        fused = by_channel + by_pixel  # F''
        return fused if self.restore is None else self.restore(fused)

    def compute_output_shape(self, input_shape):
        side = [None if side is None else -(-side // self.strides) for side in input_shape[1:3]]
        half = input_shape[-1] // 2
        return (input_shape[0], *side, half if self.fusion == "add" else 2 * half)

    def get_config(self):
        return {
            **super().get_config(),
            "reduction": self.reduction,
            "fusion": self.fusion,
            "fusion_weights": self.fusion_weights,
            "shared_crc": self.shared_crc,
            "crc_bias": self.crc_bias,
            "spatial_bias": self.spatial_bias,
            "spatial_batch_normalization": self.spatial_batch_normalization,
            "projection_batch_normalization": self.projection_batch_normalization,
            "projection_activation": self.projection_activation,
            "strides": self.strides,
        }
