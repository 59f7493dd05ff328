"""U-Net on ResNet-50, the origin of ResPAM U-Net's decoder and channel counts; it serves as a control.

Encoder: He et al., CVPR 2016, doi 10.1109/CVPR.2016.90, without its classifier; stride 2 in the 3x3 convolutions.
Decoder: that of `respam_unet`. It is `respam_unet` without attention, at ResNet-50's width and depth (43.93 M
parameters with three input channels).

Departures: no ImageNet weights; one output channel with a sigmoid; bilinear upsampling with half-pixel centres;
TensorFlow's "same" padding.
"""

import keras

from tfrespam.models.respam_unet import respam_unet


def resnet50_unet(input_shape, width=1.0, *, normalization="none", decoder="bilinear"):
    """Build a U-Net on ResNet-50.

    Args:
        input_shape: (height, width, channels), sides multiples of 32.
        width: Factor on every channel count.
        normalization: "none", "standardize" (mean 0 and variance 1 of each image) or "local_contrast" (that, and the
            local contrast around each pixel as further channels).
        decoder: As in `respam_unet`.
    """
    model = respam_unet(input_shape, width, normalization=normalization, decoder=decoder, attention="none",
                        fusion="concat", modules=(3, 4, 6, 3))
    return keras.Model(model.input, model.output, name="resnet50_unet")
