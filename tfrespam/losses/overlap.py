"""Losses based on overlap: Dice, IoU, Tversky and variants. Each also takes the arguments of `ImageLoss`."""

import keras

from tfrespam.losses import functional
from tfrespam.losses.image_loss import ImageLoss

# a separate package name: the metrics are called Dice and IoU too
register = keras.saving.register_keras_serializable("tfrespam.losses")


@register
class Dice(ImageLoss):
    """1 - soft Dice, 2 sum(y p) / (sum(y) + sum(p)), mean over images.

    Source: Milletari et al., V-Net, 3DV 2016, doi 10.1109/3DV.2016.79; here with a linear denominator. 1 is added to
    numerator and denominator, so that an empty mask with an empty prediction has loss 0.

    Args:
        name: Name in Keras' logs.
        **kwargs: `reduction` and `dtype` of `keras.losses.Loss`.
    """

    def __init__(self, name="dice", **kwargs):
        super().__init__(name, **kwargs)

    def value(self, mask, probability):
        return functional.dice(mask, probability)


@register
class IoU(ImageLoss):
    """1 - soft intersection over union, mean over images.

    Source: Alkhaleefah et al., Connected-SegNets, Cancers 2022, doi 10.3390/cancers14164030.

    Args:
        name: Name in Keras' logs.
        **kwargs: `reduction` and `dtype` of `keras.losses.Loss`.
    """

    def __init__(self, name="iou", **kwargs):
        super().__init__(name, **kwargs)

    def value(self, mask, probability):
        return functional.iou(mask, probability)


@register
class DiceIoU(ImageLoss):
    """`share` times the Dice loss + (1 - `share`) times the IoU loss, mean over images.

    Source: Baccouche et al., Connected-UNets, npj Breast Cancer 2021, doi 10.1038/s41523-021-00358-x.

    Args:
        share: Weight of Dice.
        name: Name in Keras' logs.
        **kwargs: `reduction` and `dtype` of `keras.losses.Loss`.
    """

    def __init__(self, share=0.4, name="dice_iou", **kwargs):
        super().__init__(name, {"share": share}, **kwargs)

    def value(self, mask, probability):
        return functional.dice_iou(mask, probability, **self.options)


@register
class Tversky(ImageLoss):
    """1 - Tversky index, TP / (TP + alpha FP + beta FN), of soft counts, mean over images.

    Source: Salehi et al., MLMI 2017, doi 10.1007/978-3-319-67389-9_44. alpha = beta = 0.5 is Dice.

    Args:
        alpha: Weight of false positives.
        beta: Weight of false negatives. `keras.losses.Tversky` documents both in the same way, but Keras 3.15
            exchanges them.
        name: Name in Keras' logs.
        **kwargs: `reduction` and `dtype` of `keras.losses.Loss`.
    """

    def __init__(self, alpha=0.3, beta=0.7, name="tversky", **kwargs):
        super().__init__(name, {"alpha": alpha, "beta": beta}, **kwargs)

    def value(self, mask, probability):
        return functional.tversky(mask, probability, **self.options)


@register
class LogDice(ImageLoss):
    """Exponential logarithmic Dice, (-ln soft Dice)^exponent, mean over images.

    Source: Ravitha Rajalakshmi et al., DS U-Net, 2021, doi 10.1002/ima.22516. Departure: it uses the Dice of each
    image; the source uses the mean of the batch.

    Args:
        exponent: Exponent of the logarithm.
        name: Name in Keras' logs.
        **kwargs: `reduction` and `dtype` of `keras.losses.Loss`.
    """

    def __init__(self, exponent=0.3, name="log_dice", **kwargs):
        super().__init__(name, {"exponent": exponent}, **kwargs)

    def value(self, mask, probability):
        return functional.log_dice(mask, probability, **self.options)


@register
class LogDiceOutline(ImageLoss):
    """`LogDice` with the outline of the mask as its target, for the auxiliary outputs of DS U-Net's encoder.

    Args:
        radius: Width of the outline in pixels, inside the mask.
        name: Name in Keras' logs.
        **kwargs: `reduction` and `dtype` of `keras.losses.Loss`.
    """

    def __init__(self, radius=3, name="log_dice_outline", **kwargs):
        super().__init__(name, {"radius": radius}, **kwargs)

    def value(self, mask, probability):
        return functional.log_dice_outline(mask, probability, **self.options)


@register
class Projection(ImageLoss):
    """Projection loss: 1 - Dice of the row and column projections of prediction and bounding box, mean over images.

    Source: Tian et al., BoxInst, CVPR 2021, doi 10.1109/CVPR46437.2021.00540. Only the mask's bounding box is used.

    Args:
        least_fill, most_fill: Bounds of the mean probability in the box; the distance to them is added.
        name: Name in Keras' logs.
        **kwargs: `reduction` and `dtype` of `keras.losses.Loss`.
    """

    def __init__(self, least_fill=0.0, most_fill=1.0, name="projection", **kwargs):
        super().__init__(name, {"least_fill": least_fill, "most_fill": most_fill}, **kwargs)

    def value(self, mask, probability):
        return functional.projection(mask, probability, **self.options)
