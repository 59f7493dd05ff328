"""Baseline attention modules (SE, scSE, CBAM, none) that replace PAM in ablations, behind the same 1x1 convolution."""

import keras

from tfrespam.layers.channel_gate import ChannelGate
from tfrespam.layers.conv_unit import ConvUnit
from tfrespam.layers.spatial_gate import SpatialGate

GATES = ("none", "se", "scse", "cbam")


@keras.saving.register_keras_serializable("tfrespam")
class GatedProjection(keras.layers.Layer):
    """Projection F' = conv1x1(F), followed by the gates of a baseline attention module.

    - "none": no gate.
    - "se": squeeze-and-excitation (Hu et al., CVPR 2018): channel weights from the mean.
    - "scse": concurrent spatial and channel squeeze and excitation (Roy et al., MICCAI 2018): channel weights from
      the mean, pixel weights from a 1x1 convolution, both products added.
    - "cbam": convolutional block attention module (Woo et al., ECCV 2018): channel weights from mean and max, then,
      on the weighted map, pixel weights from a 7x7 convolution with batch normalisation.

    Args:
        gates: One of the four names.
        reduction: Channels of F' divided by the inner width of the channel gate.
        halve: Halve the channels by a 1x1 convolution first, as in PAM; False omits the convolution (F' = F).
        strides: Stride of that convolution.

    Input shape: (N, H, W, C). Output shape: (N, ceil(H / strides), ceil(W / strides), C / 2), or the input's shape
    without `halve`.
    """

    def __init__(self, gates, reduction=16, halve=True, strides=1, **kwargs):
        super().__init__(**kwargs)
        if gates not in GATES:
            raise ValueError(f"Argument `gates` must be one of {GATES}. Received: gates={gates!r}")
        if strides > 1 and not halve:
            raise ValueError("Argument `strides` above 1 requires halve=True, as the stride of its 1x1 convolution. "
                             f"Received: strides={strides}")
        self.gates = gates
        self.reduction = reduction
        self.halve = halve
        self.strides = strides

    def build(self, input_shape):
        shape = self.compute_output_shape(input_shape)
        policy = {"dtype": self.dtype_policy}
        self.projection = self.channel_gate = self.spatial_gate = None
        if self.halve:
            self.projection = ConvUnit(shape[-1], 1, self.strides, name="projection", **policy)
            self.projection.build(input_shape)
        if self.gates != "none":
            descriptors = ("mean", "max") if self.gates == "cbam" else ("mean",)
            self.channel_gate = ChannelGate(self.reduction, descriptors, name="channel_gate", **policy)
            self.channel_gate.build(shape)
        if self.gates == "cbam":
            self.spatial_gate = SpatialGate(batch_normalization=True, name="spatial_gate", **policy)
            self.spatial_gate.build(shape)
        if self.gates == "scse":
            self.spatial_gate = ConvUnit(1, 1, activation="sigmoid", name="spatial_gate", **policy)
            self.spatial_gate.build(shape)

    def call(self, inputs):
        features = inputs if self.projection is None else self.projection(inputs)
        if self.channel_gate is None:
            return features
        gated = self.channel_gate(features) * features
        if self.gates == "cbam":
            return self.spatial_gate(gated) * gated
        if self.gates == "scse":
            return gated + self.spatial_gate(features) * features
        return gated

    def compute_output_shape(self, input_shape):
        side = [None if side is None else -(-side // self.strides) for side in input_shape[1:3]]
        return (input_shape[0], *side, input_shape[-1] // 2 if self.halve else input_shape[-1])

    def get_config(self):
        return {
            **super().get_config(),
            "gates": self.gates,
            "reduction": self.reduction,
            "halve": self.halve,
            "strides": self.strides,
        }
