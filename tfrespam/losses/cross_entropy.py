"""Losses based on pixelwise cross-entropy. Each also takes the arguments of `ImageLoss`."""

import keras

from tfrespam.losses import functional
from tfrespam.losses.image_loss import ImageLoss

register = keras.saving.register_keras_serializable("tfrespam.losses")


@register
class BCE(ImageLoss):
    """Binary cross-entropy, mean over pixels and images.

    Args:
        name: Name in Keras' logs.
        **kwargs: `reduction` and `dtype` of `keras.losses.Loss`.
    """

    def __init__(self, name="bce", **kwargs):
        super().__init__(name, **kwargs)

    def value(self, mask, probability):
        return functional.bce(mask, probability)


@register
class BCEDice(ImageLoss):
    """Binary cross-entropy + `dice_weight` times the Dice loss, mean over images.

    Source: Isensee et al., nnU-Net, Nature Methods 2021, doi 10.1038/s41592-020-01008-z.

    Args:
        dice_weight: Weight of the Dice loss.
        name: Name in Keras' logs.
        **kwargs: `reduction` and `dtype` of `keras.losses.Loss`.
    """

    def __init__(self, dice_weight=1.0, name="bce_dice", **kwargs):
        super().__init__(name, {"dice_weight": dice_weight}, **kwargs)

    def value(self, mask, probability):
        return functional.bce_dice(mask, probability, **self.options)


@register
class WeightedBCE(ImageLoss):
    """Binary cross-entropy with weight `foreground` for mass and 1 - `foreground` for background, mean over images.

    Source: after Hai et al., FC-DenseNet, 2019, doi 10.1155/2019/8415485.

    Args:
        foreground: Weight of the mass.
        name: Name in Keras' logs.
        **kwargs: `reduction` and `dtype` of `keras.losses.Loss`.
    """

    def __init__(self, foreground=0.8, name="weighted_bce", **kwargs):
        super().__init__(name, {"foreground": foreground}, **kwargs)

    def value(self, mask, probability):
        return functional.weighted_bce(mask, probability, **self.options)


@register
class Focal(ImageLoss):
    """Focal loss, alpha_t (1 - p_t)^gamma times the cross-entropy, mean over images.

    Source: Lin et al., ICCV 2017, doi 10.1109/ICCV.2017.324.

    Args:
        alpha: Weight of the mass; the background has 1 - alpha.
        gamma: Exponent; a higher one gives correctly classified pixels less weight.
        name: Name in Keras' logs.
        **kwargs: `reduction` and `dtype` of `keras.losses.Loss`.
    """

    def __init__(self, alpha=0.25, gamma=2.0, name="focal", **kwargs):
        super().__init__(name, {"alpha": alpha, "gamma": gamma}, **kwargs)

    def value(self, mask, probability):
        return functional.focal(mask, probability, **self.options)


@register
class Boundary(ImageLoss):
    """Binary cross-entropy with weight `weight` within `radius` of the mask's outline, mean over images.

    Source: after Ronneberger et al., U-Net, MICCAI 2015, doi 10.1007/978-3-319-24574-4_28.

    Args:
        radius: Width of the band on each side of the outline, in pixels.
        weight: Weight of the pixels near the outline.
        name: Name in Keras' logs.
        **kwargs: `reduction` and `dtype` of `keras.losses.Loss`.
    """

    def __init__(self, radius=3, weight=5.0, name="boundary", **kwargs):
        super().__init__(name, {"radius": radius, "weight": weight}, **kwargs)

    def value(self, mask, probability):
        return functional.boundary(mask, probability, **self.options)
