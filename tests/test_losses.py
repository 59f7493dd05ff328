"""Losses against a second statement: NumPy, float64, one image and one pixel class at a time."""

import keras
import numpy as np
import pytest

from tfrespam import losses

_RANDOM = np.random.default_rng(3)


def _masks(count=3, side=12):
    masks = np.zeros((count, side, side, 1), "float32")
    for index in range(count):
        top, left = _RANDOM.integers(0, 5, 2)
        masks[index, top : top + 3 + index, left : left + 5] = 1
    return masks


def _probabilities(masks):
    return np.clip(0.6 * masks + _RANDOM.uniform(0.02, 0.38, masks.shape), 0.01, 0.99).astype("float32")


def _disk_neighbours(points, shape, radius):
    """Pixels of `shape` within `radius` of any of `points`, found pixel by pixel."""
    return {(y, x) for y in range(shape[0]) for x in range(shape[1])
            if any((y - v) ** 2 + (x - u) ** 2 <= radius**2 for v, u in points)}


def _second_statement(name, mask, probability):
    """One image, lists of probabilities on the mass (a) and off it (b)."""
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
            return _second_statement("log_dice", outline[..., None], probability[..., None])
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


@pytest.mark.parametrize("name", losses.loss_names())
def test_loss_is_the_mean_over_images_of_its_second_statement(name):
    masks = _masks()
    probabilities = _probabilities(masks)
    expected = [_second_statement(name, *pair) for pair in zip(masks, probabilities, strict=True)]
    loss = losses.get_loss(name)
    np.testing.assert_allclose(loss.call(masks, probabilities), expected, rtol=2e-5)
    np.testing.assert_allclose(loss(masks, probabilities), np.mean(expected), rtol=2e-5)
    weighted = loss(masks, probabilities, sample_weight=np.array([1.0, 0.0, 0.0], "float32"))
    np.testing.assert_allclose(weighted * 3, expected[0], rtol=2e-5)


@pytest.mark.parametrize("name", losses.loss_names())
def test_empty_mask_with_empty_prediction_costs_nothing(name):
    empty = np.zeros((2, 8, 8, 1), "float32")
    assert abs(float(losses.get_loss(name)(empty, empty))) < 1e-6


@pytest.mark.parametrize("name", losses.loss_names())
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_worse_prediction_costs_more_and_gradients_are_finite_at_the_extremes(name, value):
    tensorflow = pytest.importorskip("tensorflow")
    mask = np.zeros((2, 16, 16, 1), "float32")
    mask[0, 2:9, 3:9] = 1  # the second image is empty
    loss = losses.get_loss(name)
    target = losses.outline(mask) if "outline" in name else mask
    assert float(loss(mask, target)) < 1e-4
    for probabilities in (np.full_like(mask, value), np.asarray(target), 1 - np.asarray(target)):
        prediction = tensorflow.Variable(probabilities)
        with tensorflow.GradientTape() as tape:
            result = loss(mask, prediction)
        assert np.isfinite(float(result)) and float(result) >= -1e-6
        assert np.isfinite(tape.gradient(result, prediction)).all()
    assert float(loss(mask, 1 - target)) > float(loss(mask, 0.5 * target + 0.2)) > float(loss(mask, target))


@pytest.mark.parametrize("name", losses.loss_names())
def test_float16_predictions_of_a_large_picture_do_not_overflow(name):
    mask = np.ones((1, 512, 512, 1), "float32")
    result = losses.get_loss(name)(mask, mask.astype("float16"))
    assert keras.backend.standardize_dtype(result.dtype) == "float32"
    assert np.isfinite(float(result)) and (name == "log_dice_outline" or float(result) < 1e-4)


def test_a_missed_small_mass_counts_as_much_as_a_large_one():
    masks = np.zeros((2, 64, 64, 1), "float32")
    masks[0, :60], masks[1, :2, :2] = 1, 1
    predictions = masks.copy()
    predictions[1] = 0
    assert float(losses.get_loss("dice")(masks, predictions)) == pytest.approx(0.4, abs=1e-4)  # (0 + 4/5) / 2


def test_cross_entropy_of_a_sigmoid_keeps_its_gradient_where_the_probability_is_rounded_to_one():
    tensorflow = pytest.importorskip("tensorflow")
    logits = tensorflow.Variable(np.full((1, 4, 4, 1), 40.0, "float32"))
    with tensorflow.GradientTape() as tape:
        result = losses.get_loss("bce")(np.zeros((1, 4, 4, 1), "float32"), keras.ops.sigmoid(logits))
    np.testing.assert_allclose(tape.gradient(result, logits), 1 / 16)


def test_a_mass_cut_by_the_edge_of_the_picture_has_no_outline_there():
    mask = np.zeros((1, 20, 20, 1), "float32")
    mask[:, :, :10] = 1
    edge = np.asarray(losses.outline(mask, radius=3))[0, ..., 0]
    assert (edge[:, 7:10] == 1).all() and edge.sum() == 60


def test_a_bounding_box_is_whole_and_tight():
    mask = np.zeros((3, 12, 12, 1), "float32")
    mask[0, 2, 3], mask[0, 9, 5] = 1, 1  # two parts: the box around both
    mask[1, :, 11] = 1
    box = np.array(losses.bounding_box(mask))[..., 0]
    assert box[0, 2:10, 3:6].all() and box[0].sum() == 8 * 3
    assert box[1, :, 11].all() and box[1].sum() == 12 and not box[2].any()


def test_the_projection_sees_nothing_of_a_mask_but_its_box():
    masks = _masks()
    holed = masks.copy()
    holed[:, 5:6, 5:6] = 0
    np.testing.assert_array_equal(*(losses.get_loss("projection").call(each, _probabilities(masks) * 0 + 0.3)
                                    for each in (masks, holed)))  # fmt: skip


def test_a_fill_beyond_its_bounds_costs_what_it_is_beyond():
    mask, probability = np.zeros((1, 10, 10, 1), "float32"), np.zeros((1, 10, 10, 1), "float32")
    mask[:, 2:8, 2:7] = 1  # a box of 30 pixels
    probability[:, 2:8, 2:5] = 0.5  # fills 9 of them
    plain, low, high = (float(losses.get_loss("projection", **bounds)(mask, probability)) for bounds in (
        {}, {"least_fill": 0.5}, {"most_fill": 0.2}))  # fmt: skip
    assert (low - plain, high - plain) == pytest.approx((0.2, 0.1), abs=1e-6)


@pytest.mark.parametrize("value", [-1, "2", True, None])
def test_options_are_numbers_of_0_or_more(value):
    with pytest.raises(ValueError, match="Options of loss 'focal' must be numbers of 0 or more. Received: {'gamma': "):
        losses.get_loss("focal", gamma=value)


def test_options_and_serialisation_round_trip():
    masks = _masks()
    probabilities = _probabilities(masks)
    loss = losses.get_loss("focal", gamma=0.5, alpha=0.4)
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert isinstance(again, losses.PerImageLoss) and again.options == {"gamma": 0.5, "alpha": 0.4}
    assert float(again(masks, probabilities)) == float(loss(masks, probabilities))
    assert float(loss(masks, probabilities)) != float(losses.get_loss("focal")(masks, probabilities))


def test_unknown_names_and_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match="bce_dice.*Received: loss='lovasz'"):
        losses.get_loss("lovasz")
    with pytest.raises(ValueError, match=r"\(N, H, W, 1\).*Received"):
        losses.get_loss("bce")(np.zeros((2, 4, 4)), np.zeros((2, 4, 4)))
