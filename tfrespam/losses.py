"""Losses of a mask (N, H, W, 1) in {0, 1} and a probability of the same shape; each image counts the same.

A loss that sums over the whole batch lets one large, well drawn mass hide a small one that was missed; so every
function here gives one value per image, shape (N,), and `PerImageLoss` averages over images. All sums are float32:
the pixels of one picture overflow float16.

| name | loss of one image | source |
|---|---|---|
| bce | mean binary cross-entropy | - |
| dice | 1 - soft Dice | Milletari 2016, doi 10.1109/3DV.2016.79 (linear denominator) |
| bce_dice | bce + dice | Isensee 2021 (nnU-Net), doi 10.1038/s41592-020-01008-z |
| iou | 1 - soft IoU | Alkhaleefah 2022 (Connected-SegNets), doi 10.3390/cancers14164030 |
| dice_iou | 0.4 dice + 0.6 iou | Baccouche 2021 (Connected-UNets), doi 10.1038/s41523-021-00358-x |
| weighted_bce | bce, mass times 0.8, background times 0.2 | after Hai 2019 (FC-DenseNet), doi 10.1155/2019/8415485 |
| log_dice | (-ln soft Dice)^0.3 | Rajalakshmi 2020 (DS U-Net), doi 10.1002/ima.22516 |
| log_dice_outline | log_dice with the outline of the mask as target | the same: its encoder's side outputs |
| focal | alpha_t (1 - p_t)^2 cross-entropy | Lin 2017, doi 10.1109/ICCV.2017.324 |
| tversky | 1 - Tversky index, misses 0.7, false alarms 0.3 | Salehi 2017, doi 10.1007/978-3-319-67389-9_44 |
| boundary | bce, weight 5 within 3 pixels of the outline | after Ronneberger 2015, doi 10.1007/978-3-319-24574-4_28 |
| projection | 1 - Dice of rows and columns with the mask's box | Tian 2021, doi 10.1109/CVPR46437.2021.00540 |

Options, each 0 or more: `foreground` (share of the mass) of weighted_bce; `alpha`, `gamma` of focal; `misses`,
`false_alarms` of tversky; `dice_weight` of bce_dice; `share` (of dice) of dice_iou; `exponent` of log_dice, which takes
each image's Dice where the source takes the batch's mean; `radius` in pixels of log_dice_outline and boundary, and
`weight` of the latter; `least_fill`, `most_fill` (share of the box that is mass) of projection.

The loss `box` of the stage `train` is `projection` and beside it `tfrespam.affinity`: boxes instead of masks.

An empty mask with an empty prediction costs 0 in each of them.
"""

import inspect
import numbers

import keras
from keras import ops

_PIXELS = (1, 2, 3)
_SMOOTH = 1.0  # pixels added to both parts of a ratio: 0/0 becomes 1 and the gradient stays bounded


def _sum(values):
    return ops.sum(values, axis=_PIXELS)


def _mean(values):
    return ops.mean(values, axis=_PIXELS)


def _cross_entropy(mask, probability):
    """Pixelwise cross-entropy. Probabilities are clipped to [1e-7, 1 - 1e-7] (Keras' epsilon), or, when they come
    straight out of a float32 sigmoid, the logits behind them are used: the gradient then never saturates.
    """
    return ops.binary_crossentropy(mask, probability)


def bce(mask, probability):
    return _mean(_cross_entropy(mask, probability))


def weighted_bce(mask, probability, foreground=0.8):
    weight = foreground * mask + (1.0 - foreground) * (1.0 - mask)
    return _mean(weight * _cross_entropy(mask, probability))


def focal(mask, probability, alpha=0.25, gamma=2.0):
    probability_of_truth = mask * probability + (1.0 - mask) * (1.0 - probability)
    weight = alpha * mask + (1.0 - alpha) * (1.0 - mask)
    # ops.power has an infinite gradient at 0 when gamma is below 1
    miss = ops.maximum(1.0 - probability_of_truth, keras.config.epsilon())
    return _mean(weight * ops.power(miss, gamma) * _cross_entropy(mask, probability))


def tversky(mask, probability, misses=0.7, false_alarms=0.3):
    hit = _sum(mask * probability)
    miss = _sum(mask * (1.0 - probability))
    false_alarm = _sum((1.0 - mask) * probability)
    return 1.0 - (hit + _SMOOTH) / (hit + misses * miss + false_alarms * false_alarm + _SMOOTH)


def dice(mask, probability):
    return 1.0 - (2.0 * _sum(mask * probability) + _SMOOTH) / (_sum(mask) + _sum(probability) + _SMOOTH)


def iou(mask, probability):
    hit = _sum(mask * probability)
    return 1.0 - (hit + _SMOOTH) / (_sum(mask) + _sum(probability) - hit + _SMOOTH)


def bce_dice(mask, probability, dice_weight=1.0):
    return bce(mask, probability) + dice_weight * dice(mask, probability)


def dice_iou(mask, probability, share=0.4):
    return share * dice(mask, probability) + (1.0 - share) * iou(mask, probability)


def log_dice(mask, probability, exponent=0.3):
    hit = 2.0 * _sum(mask * probability) + _SMOOTH
    score = hit / (_sum(ops.square(mask)) + _sum(ops.square(probability)) + _SMOOTH)
    distance = -ops.log(score)
    # The root has an infinite slope at a score of 1: it is 0 there, and no gradient flows.
    return ops.where(distance > 0.0, ops.power(ops.maximum(distance, keras.config.epsilon()), exponent), 0.0)


def _near(mask, radius):
    """1 where a pixel of `mask` lies within `radius`; outside the picture there is none."""
    reach = range(-radius, radius + 1)
    disk = [[[[float(y * y + x * x <= radius * radius)]] for x in reach] for y in reach]  # (2r + 1, 2r + 1, 1, 1)
    kernel = ops.convert_to_tensor(disk, dtype="float32")
    hits = ops.conv(mask, kernel, padding="same", data_format="channels_last")
    return ops.cast(hits > 0.5, "float32")


def outline(mask, radius=3):
    """The mask without its erosion by a disk of `radius` pixels; float32 (N, H, W, 1) in {0, 1}."""
    mask = ops.cast(mask, "float32")
    return mask * _near(1.0 - mask, radius)


def log_dice_outline(mask, probability, radius=3):
    return log_dice(outline(mask, radius), probability)


def boundary(mask, probability, radius=3, weight=5.0):
    band = _near(mask, radius) * _near(1.0 - mask, radius)
    weights = 1.0 + (weight - 1.0) * band
    return _sum(weights * _cross_entropy(mask, probability)) / _sum(weights)


def bounding_box(mask):
    """1 inside the smallest upright box around the mask's pixels, nothing for an empty mask; float32 (N, H, W, 1)."""
    rows, columns = (_between(ops.max(mask, axis=other, keepdims=True), axis) for axis, other in ((1, 2), (2, 1)))
    return rows * columns


def _between(line, axis):
    """1 from the first to the last pixel of a line that is not 0."""
    line = ops.cast(line > 0, "float32")
    reached, left = ops.cumsum(line, axis), ops.flip(ops.cumsum(ops.flip(line, axis), axis), axis)
    return ops.cast((reached > 0) & (left > 0), "float32")


def projection(mask, probability, least_fill=0.0, most_fill=1.0):
    """What of a mask a box tells: which rows and columns it reaches, and which not. Nothing else of it is looked at.

    On demand also what is known of all masses alike: the share of its box that a mass fills lies within bounds, and
    what is beyond them is added (Kervadec 2020, PMLR 121:365, has such bounds; here the penalty is linear).
    """
    box = bounding_box(mask)
    pairs = [(ops.max(box, axis), ops.max(probability, axis)) for axis in (1, 2)]  # (N, side, 1) each
    fill = _sum(box * probability) / ops.maximum(_sum(box), 1.0)
    bounds = ops.cast(_sum(box) > 0, "float32") * (ops.relu(least_fill - fill) + ops.relu(fill - most_fill))
    return sum(1.0 - _line_dice(*pair) for pair in pairs) / 2 + bounds


def _line_dice(one, other):
    """Dice with squares in the denominator, as the source has it: where both agree, 0.5 and 0.5 cost nothing."""
    hit = 2.0 * ops.sum(one * other, (1, 2)) + _SMOOTH
    return hit / (ops.sum(ops.square(one), (1, 2)) + ops.sum(ops.square(other), (1, 2)) + _SMOOTH)


_LOSSES = {
    "bce": bce,
    "dice": dice,
    "bce_dice": bce_dice,
    "iou": iou,
    "dice_iou": dice_iou,
    "weighted_bce": weighted_bce,
    "log_dice": log_dice,
    "log_dice_outline": log_dice_outline,
    "focal": focal,
    "tversky": tversky,
    "boundary": boundary,
    "projection": projection,
}


def loss_names() -> tuple[str, ...]:
    return tuple(_LOSSES)


def is_number(value) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


@keras.saving.register_keras_serializable("tfrespam")
class PerImageLoss(keras.losses.Loss):
    """Mean over images of a loss of one image.

    Args:
        loss: One of `loss_names()`.
        options: Keyword arguments of that loss, such as `{"gamma": 1.5}` of `focal`.
        name: Name in Keras' logs; the loss' own by default.
        **kwargs: `reduction` and `dtype` of `keras.losses.Loss`.

    Call arguments:
        y_true: (N, H, W, 1), 0 or 1.
        y_pred: (N, H, W, 1), probabilities in [0, 1].
        sample_weight: (N,), a weight per image.
    """

    def __init__(self, loss="bce_dice", options=None, name=None, **kwargs):
        super().__init__(name=name or loss, **kwargs)
        if loss not in _LOSSES:
            raise ValueError(f"Unknown loss. Expected one of {', '.join(_LOSSES)}. Received: loss={loss!r}")
        known = list(inspect.signature(_LOSSES[loss]).parameters)[2:]  # after mask and probability
        unknown = [option for option in options or () if option not in known]
        if unknown:
            raise ValueError(f"Options of loss {loss!r}: {', '.join(known) or 'none'}. Received: {', '.join(unknown)}")
        wrong = {option: value for option, value in (options or {}).items() if not (is_number(value) and value >= 0)}
        if wrong:
            raise ValueError(f"Options of loss {loss!r} must be numbers of 0 or more. Received: {wrong}")
        if (radius := (options or {}).get("radius", 1)) != int(radius):
            raise ValueError(f"The option radius of loss {loss!r} must be a whole number of pixels. Received: {radius}")
        self.loss = loss
        self.options = dict(options or {})

    def call(self, y_true, y_pred):
        if len(y_true.shape) != 4 or len(y_pred.shape) != 4:
            raise ValueError("A loss takes masks and probabilities of shape (N, H, W, 1). "
                             f"Received: y_true.shape={y_true.shape}, y_pred.shape={y_pred.shape}")
        return _LOSSES[self.loss](ops.cast(y_true, "float32"), ops.cast(y_pred, "float32"), **self.options)

    def get_config(self):
        return {**super().get_config(), "loss": self.loss, "options": self.options}


def get_loss(name: str = "bce_dice", **options) -> PerImageLoss:
    """The loss called `name`, ready for `model.compile`.

    Raises:
        ValueError: `name` is not one of `loss_names()`.
    """
    return PerImageLoss(name, options)
