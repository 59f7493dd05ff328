"""Prior-knowledge segmentation, A STAND-IN: no network of this kind was published under the cited name.

The ResPAM paper cites "prior knowledge learning", which most likely is Xi et al., Neurocomputing 237:145-157, 2017, doi
10.1016/j.neucom.2016.09.067. That method is for ultrasound and is not a network: a classifier, trained first, finds
abnormal regions and constrains a base segmentation model. Its description does not suffice to rebuild it.

This stand-in implements that idea as a network. A classifier with a separate encoder gives each region of 16 x 16
pixels its log-odds of being abnormal (the prior, trained on the mask through the auxiliary output `mask1`); a U-Net
gives each pixel its log-odds from the image; both are added, as Bayes' rule adds the log-odds of prior and evidence.
A prior near 0 or 1 therefore overrules the base model. The other candidate, AAWS-Net (Sun and Ji, PLoS ONE 2021, doi
10.1371/journal.pone.0256830; a teacher that reconstructs the image), needs the pathology and training in two steps, and
is not the cited work.

Departures: not applicable. 31.43 M parameters with three input channels, of which the prior has 0.39 M.
"""

import keras
from keras import layers

from tfrespam.models.blocks import conv_relu, image_input, outputs, scaled
from tfrespam.models.unet import unet_decoded

REGION = 16  # pixels


def prior_knowledge_net(input_shape, width=1.0, *, normalization="none", batch_normalization=True, side_outputs=True):
    """Build a U-Net constrained by a learnt prior, our own stand-in for a method that cannot be rebuilt.

    Args:
        input_shape: (height, width, channels), sides multiples of 16.
        width: Factor on every channel count.
        normalization: "none", "standardize" (mean 0 and variance 1 of each image) or "local_contrast" (that, and the
            local contrast around each pixel as further channels).
        batch_normalization: Apply batch normalisation after each 3x3 convolution.
        side_outputs: Return the prior as the auxiliary output `mask1` (H, W, 1) in [0, 1] beside `probability`, so
            that it is trained on the mask directly; otherwise it is trained only through the sum.
    """
    image, features = image_input(input_shape, REGION, normalization)
    prior = _prior(features, width, batch_normalization)
    seen = unet_decoded(features, width, batch_normalization)[-1]
    seen = layers.Conv2D(1, 1, dtype="float32", name="evidence")(seen)
    logits = layers.Add(dtype="float32", name="logits")([seen, prior])
    probability = layers.Activation("sigmoid", dtype="float32", name="probability")(logits)
    sides = {"mask1": layers.Activation("sigmoid", dtype="float32", name="mask1")(prior)} if side_outputs else {}
    return keras.Model(image, outputs(probability, sides), name="prior_knowledge_net")


def _prior(features, width, batch_normalization):
    """Return the log-odds (H, W, 1) of the regions, interpolated between their centres."""
    for channels in (32, 64, 128, 256):
        features = conv_relu(features, scaled(channels, width), f"prior{channels}",
                             batch_normalization=batch_normalization)
        features = layers.MaxPooling2D(2, name=f"prior_pool{channels}")(features)
    regions = layers.Conv2D(1, 1, dtype="float32", name="prior_regions")(features)
    return layers.UpSampling2D(REGION, interpolation="bilinear", dtype="float32", name="prior")(regions)
