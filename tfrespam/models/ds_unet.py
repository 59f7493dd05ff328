"""DS U-Net: Ravitha Rajalakshmi et al., Int. J. Imaging Systems and Technology, 2021, doi 10.1002/ima.22516.

A U-Net whose skip and deep features are weighted by squeeze-and-excitation and added, not concatenated. Six auxiliary
maps, of encoder levels 2 to 4 and decoder levels 4 to 2, have their own supervision (the encoder's by the boundary of
the mass, the decoder's by the mass) and contribute to the output. Layers follow the authors' code (31.62 M parameters).

Departures: one output with a sigmoid; no bias before batch normalisation, which has PyTorch's constants; the auxiliary
maps are outputs of the model, not tensors that the loss captures. The published loss corresponds to `training: {loss:
log_dice, side_loss: log_dice, side_decay_epochs: 100}`, with each image's Dice instead of the batch's mean, and without
its term for the fused feature, 70 maps compared with one mask. The dense-CRF post-processing is not part of the
network: `python -m tfrespam.evaluate --output DIR --postprocessing dense_crf`.
"""

import keras
from keras import layers

from tfrespam.layers import ChannelGate
from tfrespam.models.blocks import (
    batch_norm,
    conv_relu,
    double_conv,
    image_input,
    outputs,
    probability,
    scaled,
    upsample,
)


def ds_unet(input_shape, width=1.0, *, normalization="none", side_outputs=True, dropout=0.5, reduction=16):
    """Build DS U-Net.

    Args:
        input_shape: (height, width, channels), sides multiples of 16.
        width: Factor on every channel count.
        normalization: "none", "standardize" (mean 0 and variance 1 of each image) or "local_contrast" (that, and the
            local contrast around each pixel as further channels).
        side_outputs: Return the auxiliary maps `boundary1` to `boundary3` and `mask1` to `mask3`, (H, W, 1), values
            of at least 0, as outputs beside `probability`.
        dropout: Dropout rate after each decoder level.
        reduction: Channels divided by the inner width of the squeeze-and-excitation gates.
    """
    image, features = image_input(input_shape, 16, normalization)
    skips, sides = [], {}
    for level, channels in enumerate((64, 128, 256, 512)):
        features = double_conv(features, scaled(channels, width), f"encoder{channels}", True)
        skips.append(features)
        if level:
            sides[f"boundary{level}"] = _side(features, 2**level, f"boundary{level}")
        features = layers.MaxPooling2D(2, name=f"pool{channels}")(features)
    features = double_conv(features, scaled(1024, width), "bottom", True)
    for level, channels in zip((3, 2, 1, 0), (512, 256, 128, 64), strict=True):
        features = _decode(features, skips.pop(), scaled(channels, width), reduction, f"decoder{channels}")
        features = layers.Dropout(dropout, name=f"decoder{channels}_dropout")(features)
        if level:
            sides[f"mask{4 - level}"] = _side(features, 2**level, f"mask{4 - level}")
    features = layers.Concatenate(name="fused")([features, *sides.values()])
    return keras.Model(image, outputs(probability(features), sides if side_outputs else {}), name="ds_unet")


def _decode(deep, skip, filters, reduction, name):
    skip = _squeeze_excite(skip, reduction, f"{name}_skip")
    deep = upsample(_squeeze_excite(deep, reduction, f"{name}_deep"), f"{name}_up")
    deep = conv_relu(deep, filters, f"{name}_narrow", batch_normalization=True)
    return double_conv(layers.Add(name=f"{name}_add")([deep, skip]), filters, name, True)


def _squeeze_excite(features, reduction, name):
    gate = ChannelGate(reduction, ("mean",), name=f"{name}_gate")(features)
    return layers.Multiply(name=f"{name}_weighed")([features, gate])


def _side(features, factor, name):
    """Create an auxiliary map of one channel at full size: 1x1 convolution, batch norm, ReLU, bilinear upsampling."""
    features = layers.Conv2D(1, 1, use_bias=False, name=f"{name}_conv")(features)
    features = layers.ReLU(name=f"{name}_relu")(batch_norm(f"{name}_bn")(features))
    return layers.UpSampling2D(factor, interpolation="bilinear", dtype="float32", name=name)(features)
