"""Loss functions of a mask (N, H, W, 1) in {0, 1} and a probability of the same shape, float32; one value per image.

If a loss sums over the batch, one large mass that is segmented well outweighs a small one that is missed. Every
function here therefore returns one value per image, shape (N,), and the classes of `tfrespam.losses` average over
images. An empty mask with an empty prediction has loss 0 in each of them.
"""

import keras
from keras import ops

_PIXELS = (1, 2, 3)
_SMOOTH = 1.0  # pixels added to numerator and denominator: 0/0 becomes 1 and the gradient stays bounded


def _sum(values):
    return ops.sum(values, axis=_PIXELS)


def _mean(values):
    return ops.mean(values, axis=_PIXELS)


def _cross_entropy(mask, probability):
    """Pixelwise cross-entropy.

    Probabilities are clipped to [1e-7, 1 - 1e-7] (Keras' epsilon). If they are the direct output of a float32 sigmoid,
    its logits are used instead, and the gradient never saturates.
    """
    return ops.binary_crossentropy(mask, probability)


def bce(mask, probability):
    """Mean binary cross-entropy."""
    return _mean(_cross_entropy(mask, probability))


def weighted_bce(mask, probability, foreground=0.8):
    """Binary cross-entropy with weights of mass and background."""
    weight = foreground * mask + (1.0 - foreground) * (1.0 - mask)
    return _mean(weight * _cross_entropy(mask, probability))


def focal(mask, probability, alpha=0.25, gamma=2.0):
    """Focal loss: cross-entropy with less weight for correctly classified pixels."""
    probability_of_truth = mask * probability + (1.0 - mask) * (1.0 - probability)
    weight = alpha * mask + (1.0 - alpha) * (1.0 - mask)
    # ops.power has an infinite gradient at 0 when gamma is below 1
    error = ops.maximum(1.0 - probability_of_truth, keras.config.epsilon())
    return _mean(weight * ops.power(error, gamma) * _cross_entropy(mask, probability))


def tversky(mask, probability, alpha=0.3, beta=0.7):
    """1 - Tversky index."""
    true_positive = _sum(mask * probability)
    false_negative = _sum(mask * (1.0 - probability))
    false_positive = _sum((1.0 - mask) * probability)
    # the order of terms affects rounding; saved networks were trained with this one
    whole = true_positive + beta * false_negative + alpha * false_positive + _SMOOTH
    return 1.0 - (true_positive + _SMOOTH) / whole


def dice(mask, probability):
    """1 - soft Dice."""
    return 1.0 - (2.0 * _sum(mask * probability) + _SMOOTH) / (_sum(mask) + _sum(probability) + _SMOOTH)


def iou(mask, probability):
    """1 - soft IoU."""
    overlap = _sum(mask * probability)
    return 1.0 - (overlap + _SMOOTH) / (_sum(mask) + _sum(probability) - overlap + _SMOOTH)


def bce_dice(mask, probability, dice_weight=1.0):
    """Binary cross-entropy + 1 - soft Dice."""
    return bce(mask, probability) + dice_weight * dice(mask, probability)


def dice_iou(mask, probability, share=0.4):
    """Weighted sum of 1 - soft Dice and 1 - soft IoU."""
    return share * dice(mask, probability) + (1.0 - share) * iou(mask, probability)


def log_dice(mask, probability, exponent=0.3):
    """Exponential logarithmic Dice: (-ln soft Dice)^exponent."""
    overlap = 2.0 * _sum(mask * probability) + _SMOOTH
    score = overlap / (_sum(ops.square(mask)) + _sum(ops.square(probability)) + _SMOOTH)
    distance = -ops.log(score)
    # The power has an infinite slope at a score of 1; the loss is set to 0 there, without a gradient. NaN stays NaN.
    power = ops.power(ops.maximum(distance, keras.config.epsilon()), exponent)
    return ops.where(distance > 0.0, power, 0.0 * distance)


def _near(mask, radius):
    """Dilate `mask` by a disk of `radius` pixels; outside the image it is 0."""
    reach = range(-radius, radius + 1)
    disk = [[[[float(y * y + x * x <= radius * radius)]] for x in reach] for y in reach]  # (2r + 1, 2r + 1, 1, 1)
    kernel = ops.convert_to_tensor(disk, dtype="float32")
    hits = ops.conv(mask, kernel, padding="same", data_format="channels_last")
    return ops.cast(hits > 0.5, "float32")


def outline(mask, radius=3):
    """Return the mask without its erosion by a disk of `radius` pixels; float32 (N, H, W, 1) in {0, 1}."""
    mask = ops.cast(mask, "float32")
    return mask * _near(1.0 - mask, radius)


def log_dice_outline(mask, probability, radius=3):
    """`log_dice` of the outline of the mask."""
    return log_dice(outline(mask, radius), probability)


def boundary(mask, probability, radius=3, weight=5.0):
    """Binary cross-entropy with a larger weight near the outline of the mask."""
    band = _near(mask, radius) * _near(1.0 - mask, radius)
    weights = 1.0 + (weight - 1.0) * band
    return _sum(weights * _cross_entropy(mask, probability)) / _sum(weights)


def bounding_box(mask):
    """Return 1 inside the bounding box of the mask and 0 elsewhere; all 0 for an empty mask; float32 (N, H, W, 1)."""
    rows, columns = (_between(ops.max(mask, axis=other, keepdims=True), axis) for axis, other in ((1, 2), (2, 1)))
    return rows * columns


def _between(line, axis):
    """Return 1 from the first to the last nonzero pixel along `axis`, else 0."""
    line = ops.cast(line > 0, "float32")
    reached, left = ops.cumsum(line, axis), ops.flip(ops.cumsum(ops.flip(line, axis), axis), axis)
    return ops.cast((reached > 0) & (left > 0), "float32")


def projection(mask, probability, least_fill=0.0, most_fill=1.0):
    """Projection loss: compare the row and column projections of prediction and bounding box.

    The mean probability in the box can be bounded: its distance to the bounds is added (as in Kervadec 2020, PMLR
    121:365; here the penalty is linear).
    """
    box = bounding_box(mask)
    pairs = [(ops.max(box, axis), ops.max(probability, axis)) for axis in (1, 2)]  # (N, side, 1) each
    fill = _sum(box * probability) / ops.maximum(_sum(box), 1.0)
    bounds = ops.cast(_sum(box) > 0, "float32") * (ops.relu(least_fill - fill) + ops.relu(fill - most_fill))
    return sum(1.0 - _line_dice(*pair) for pair in pairs) / 2 + bounds


def _line_dice(one, other):
    """Dice with squares in the denominator, as in the source: two equal lines have Dice 1, whatever their values."""
    overlap = 2.0 * ops.sum(one * other, (1, 2)) + _SMOOTH
    return overlap / (ops.sum(ops.square(one), (1, 2)) + ops.sum(ops.square(other), (1, 2)) + _SMOOTH)
