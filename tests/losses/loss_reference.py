"""Reference implementation of the losses in NumPy: float64, one image and one pixel class at a time."""

import keras
import numpy as np


def masks_of(count=3, side=12):
    """Return masks (N, H, W, 1) with one rectangle each."""
    random = np.random.default_rng(3)
    masks = np.zeros((count, side, side, 1), "float32")
    for index in range(count):
        top, left = random.integers(0, 5, 2)
        masks[index, top : top + 3 + index, left : left + 5] = 1
    return masks


def probabilities_of(masks):
    """Return probabilities of a nearly correct prediction."""
    random = np.random.default_rng(4)
    return np.clip(0.6 * masks + random.uniform(0.02, 0.38, masks.shape), 0.01, 0.99).astype("float32")


def assert_restored_from_configuration(loss):
    """Serialise and restore a loss: the same class, the same configuration, the same value."""
    masks = masks_of()
    probabilities = probabilities_of(masks)
    written = keras.losses.serialize(loss)
    again = keras.losses.deserialize(written)
    assert type(again) is type(loss) and keras.losses.serialize(again) == written
    assert float(again(masks, probabilities)) == float(loss(masks, probabilities))


def _disk_neighbours(points, shape, radius):
    """Return the pixels of `shape` within `radius` of any of `points`, tested one by one."""
    return {(y, x) for y in range(shape[0]) for x in range(shape[1])
            if any((y - v) ** 2 + (x - u) ** 2 <= radius**2 for v, u in points)}


def second_statement(name, mask, probability):
    """Compute a loss of one image from the probabilities inside the mass (a) and outside (b)."""
    mask, probability = mask[..., 0] > 0, probability[..., 0].astype(float)
    a, b = probability[mask], probability[~mask]
    entropy = np.concatenate([-np.log(a), -np.log1p(-b)])
    dice = 1 - (2 * a.sum() + 1) / (len(a) + probability.sum() + 1)
    iou = 1 - (a.sum() + 1) / (len(a) + b.sum() + 1)
    match name:
        case "bce":
            return entropy.mean()
        case "dice":
            return dice
        case "bce_dice":
            return entropy.mean() + dice
        case "iou":
            return iou
        case "dice_iou":
            return 0.4 * dice + 0.6 * iou
        case "weighted_bce":
            return (0.8 * -np.log(a).sum() - 0.2 * np.log(1 - b).sum()) / mask.size
        case "log_dice":
            return (-np.log((2 * a.sum() + 1) / (len(a) + (probability**2).sum() + 1))) ** 0.3
        case "log_dice_outline":
            inside, outside = set(zip(*np.nonzero(mask), strict=True)), set(zip(*np.nonzero(~mask), strict=True))
            edge = inside & _disk_neighbours(outside, mask.shape, 3)
            outline = np.array([[(y, x) in edge for x in range(mask.shape[1])] for y in range(mask.shape[0])])
            return second_statement("log_dice", outline[..., None], probability[..., None])
        case "focal":
            return -((0.25 * (1 - a) ** 2 * np.log(a)).sum() + (0.75 * b**2 * np.log(1 - b)).sum()) / mask.size
        case "tversky":
            return 1 - (a.sum() + 1) / (a.sum() + 0.7 * (1 - a).sum() + 0.3 * b.sum() + 1)
        case "boundary":
            inside, outside = set(zip(*np.nonzero(mask), strict=True)), set(zip(*np.nonzero(~mask), strict=True))
            band = _disk_neighbours(inside, mask.shape, 3) & _disk_neighbours(outside, mask.shape, 3)
            pixels = list(np.ndindex(mask.shape))
            surprise = [-np.log(probability[p] if mask[p] else 1 - probability[p]) for p in pixels]
            return np.average(surprise, weights=[5.0 if pixel in band else 1.0 for pixel in pixels])
        case "projection":
            rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
            box = np.zeros(mask.shape)
            box[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = 1
            sides = [(box.max(axis), probability.max(axis)) for axis in (0, 1)]
            return np.mean([1 - (2 * (b * p).sum() + 1) / ((b**2).sum() + (p**2).sum() + 1) for b, p in sides])
    raise AssertionError(f"{name} has no second statement")
