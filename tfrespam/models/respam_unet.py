"""ResPAM U-Net: a U-Net whose encoder stages are residual modules with parallel attention.

The paper gives equations (1) to (6) and a row of channel counts (figure 3), but no code and no parameter count. The
defaults are the literal reading: the row gives the stages' output channels; residual modules have twice as many and PAM
halves them. All channel counts of the decoder match a widely used PyTorch U-Net on ResNet-50 (bilinear upsampling, no
batch normalisation). Details that the paper omits are taken from that network, including stem and total stride of 32.

Departures: one output channel with a sigmoid instead of the figure's "3"; bilinear upsampling with half-pixel centres;
TensorFlow's "same" padding.

Trainable parameters at width 1, with three input channels and with one:

    the defaults                            104,740,857   104,734,585
    expansion=8 (ResNet-50's inner widths)   61,909,753    61,903,481
    fusion="concat"                          43,264,897    43,258,625
    fusion="add_and_restore"                 46,054,017    46,047,745
    `resnet50_unet`, the control             43,932,801    43,926,529
"""

import keras
from keras import layers

from tfrespam.layers import ResPAM
from tfrespam.models.blocks import (
    check_choice,
    conv_relu,
    double_conv,
    image_input,
    outputs,
    probability,
    scaled,
    side_mask,
    upsample,
)

STEMS = ("strided", "full_resolution")
DECODERS = ("bilinear", "bilinear_batch_normalization", "transposed")


def respam_unet(input_shape, width=1.0, *, normalization="none", attention="pam", fusion="add", fusion_weights="none",
                modules=(3, 3, 3, 3), expansion=4, placement="stage", downsampling="residual", stem="strided",
                decoder="bilinear", batch_normalization=True, reduction=16, shared_crc=True, crc_bias=True,
                spatial_bias=False, spatial_batch_normalization=False, projection_batch_normalization=False,
                projection_activation=None, side_outputs=False):
    """Build ResPAM U-Net.

    Args:
        input_shape: (height, width, channels), sides multiples of 32 (16 with stem="full_resolution").
        width: Factor on every channel count.
        normalization: "none", "standardize" (mean 0 and variance 1 of each image) or "local_contrast" (that, and the
            local contrast around each pixel as further channels).
        attention: "pam", or for ablations "cbam", "scse", "se", "none", which use only `fusion` and `reduction`.
        fusion: "add" (equation 4), "concat" or "add_and_restore"; with the last two, all stages have ResNet-50's width.
        fusion_weights: "none" (equation 4), or learnt factors of PAM's two branches: "scalar" or "channel".
        modules: Number of residual modules in each of the four stages; ResNet-50 has (3, 4, 6, 3).
        expansion: Channels of a residual module's output divided by its inner channels.
        placement: Attention after each "stage" or after each "module".
        downsampling: Position of a stage's stride: "residual", "max_pool" or "projection", as in
            `tfrespam.layers.ResPAM`.
        stem: "strided" (7x7 with stride 2, and a max-pool) or "full_resolution" (two 3x3 convolutions).
        decoder: "bilinear", "bilinear_batch_normalization" or "transposed" (2x2 transposed convolutions).
        batch_normalization: Use batch normalisation in stem and residual modules.
        reduction: Channels of PAM's F' divided by the inner width of its channel gate.
        shared_crc, crc_bias: As in `tfrespam.layers.PAM`, for its channel gate.
        spatial_bias, spatial_batch_normalization: As in `tfrespam.layers.PAM`, for its spatial gate.
        projection_batch_normalization, projection_activation: As in `tfrespam.layers.PAM`, for its first convolution.
        side_outputs: Add auxiliary outputs for deep supervision: masks of the decoder's levels below full size,
            `mask1` (the coarsest) to `mask4` (`mask3` with stem="full_resolution"). An export omits them.
    """
    check_choice("stem", stem, STEMS)
    check_choice("decoder", decoder, DECODERS)
    strided = stem == "strided"
    if len(modules) != 4:
        raise ValueError(f"Argument `modules` must hold four numbers, one for each stage. Received: modules={modules}")
    attention_options = {"fusion": fusion, "fusion_weights": fusion_weights, "reduction": reduction,
                         "shared_crc": shared_crc, "crc_bias": crc_bias, "spatial_bias": spatial_bias,
                         "spatial_batch_normalization": spatial_batch_normalization,
                         "projection_batch_normalization": projection_batch_normalization,
                         "projection_activation": projection_activation}  # fmt: skip
    image, features = image_input(input_shape, 32 if strided else 16, normalization)

    first = scaled(64, width)
    if strided:
        features = conv_relu(features, first, "stem", 7, 2, batch_normalization)  # 1/2, 64
        skips = [features]
        features = layers.MaxPooling2D(3, 2, "same", name="stem_pool")(features)  # 1/4
    else:
        features = double_conv(features, first, "stem", batch_normalization)  # 1/1, 64
        skips = [features]

    for index, channels in enumerate((256, 512, 1024, 2048)):
        features = ResPAM(
            scaled(channels, width), modules[index], 1 if strided and index == 0 else 2, expansion, downsampling,
            placement, batch_normalization, attention, attention_options, name=f"stage{index + 1}")(features)
        skips.append(features)
    skips.pop()  # the deepest map is not a skip

    sides, factor = {}, 16 if strided else 8
    for channels in (512, 256, 128, 64):
        features = _decode(features, skips.pop(), scaled(channels, width), decoder, f"decoder{channels}")
        if side_outputs and factor > 1:
            name = f"mask{len(sides) + 1}"
            sides[name] = side_mask(features, factor, name)
        factor //= 2
    if strided:  # from 1/2 to full size
        features = double_conv(_enlarge(features, decoder, "head_up"), first, "head",
                               decoder == "bilinear_batch_normalization")
    return keras.Model(image, outputs(probability(features), sides), name="respam_unet")


def _enlarge(features, decoder, name):
    if decoder == "transposed":
        return layers.Conv2DTranspose(features.shape[-1], 2, 2, name=name)(features)
    return upsample(features, name)


def _decode(features, skip, filters, decoder, name):
    features = layers.Concatenate(name=f"{name}_concat")([skip, _enlarge(features, decoder, f"{name}_up")])
    return double_conv(features, filters, name, decoder == "bilinear_batch_normalization")
