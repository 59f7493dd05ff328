"""Trivial baseline masks and skill score."""

import json
import math

import numpy as np
import pytest

from tfrespam.evaluation import trivial


def _disks(count, side=64, seed=0, spread=0.05):
    """Return disks near the centre with radii of about a quarter of the image."""
    random = np.random.default_rng(seed)
    y, x = (np.mgrid[:side, :side] + 0.5) / side - 0.5
    centres, radii = spread * random.standard_normal((count, 2)), random.uniform(0.18, 0.32, count)
    return [((y - v) ** 2 + (x - u) ** 2 <= r * r) for (v, u), r in zip(centres, radii, strict=True)]


def _dice(a, b):
    a, b = set(map(tuple, np.argwhere(a))), set(map(tuple, np.argwhere(b)))
    return 2 * len(a & b) / (len(a) + len(b))


def test_scores_match_dice_computed_from_sets_of_pixels():
    fitted = trivial.TrivialMasks.fit(_disks(40))
    references = _disks(9, side=48, seed=1)
    masks = fitted.masks((48, 48))
    expected = {name: np.mean([_dice(reference, mask) for reference in references]) for name, mask in masks.items()}
    assert trivial.trivial_dice(references, fitted) == pytest.approx(expected, abs=1e-12)
    assert list(expected) == ["all_ones", "centred_ellipse", "mean_mask"]
    assert expected["all_ones"] < expected["centred_ellipse"] < 1


def test_fit_is_nearly_optimal_on_the_training_masks():
    training = _disks(30)
    fitted = trivial.TrivialMasks.fit(training)
    got = trivial.trivial_dice(training, fitted)
    mean = np.mean(training, axis=0)
    best_level = max(np.mean([_dice(mask, mean >= level) for mask in training]) for level in np.arange(0.1, 0.9, 0.1))
    best_disk = max(np.mean([_dice(mask, trivial.ellipse((64, 64), (axis, axis))) for mask in training])
                    for axis in np.arange(0.15, 0.35, 0.02))
    assert got["mean_mask"] >= best_level - 0.01
    assert got["centred_ellipse"] >= best_disk - 0.01


def test_elongated_ellipse_is_fitted_for_any_image_shape():
    wide = trivial.ellipse((60, 100), (0.2, 0.4))
    fitted = trivial.TrivialMasks.fit([wide[..., None].astype("uint8")] * 3)
    assert fitted.axes == pytest.approx((0.2, 0.4), abs=0.021)
    assert trivial.trivial_dice([wide], fitted)["centred_ellipse"] > 0.96
    assert trivial.trivial_dice([wide], fitted)["mean_mask"] > 0.96


def test_json_round_trip_is_small_and_exact():
    fitted = trivial.TrivialMasks.fit(_disks(20))
    text = json.dumps(fitted.to_dict())
    again = trivial.TrivialMasks.from_dict(json.loads(text))
    assert len(text) < 12_000
    assert (again.axes, again.level) == (fitted.axes, fitted.level)
    for name, mask in fitted.masks((50, 70)).items():
        np.testing.assert_array_equal(again.masks((50, 70))[name], mask)


def test_without_training_masks_there_is_no_mean_mask_and_skill_uses_the_others():
    unfitted = trivial.TrivialMasks.fit([])
    again = trivial.TrivialMasks.from_dict(json.loads(json.dumps(unfitted.to_dict())))
    scores = trivial.trivial_dice(_disks(5), again)
    assert math.isnan(scores["mean_mask"]) and scores["centred_ellipse"] > 0.7
    best = scores["centred_ellipse"]
    assert trivial.skill(0.9, scores) == pytest.approx((0.9 - best) / (1 - best))


def test_skill_of_known_scores():
    assert trivial.skill(0.9, {"all_ones": 0.4, "mean_mask": 0.8}) == pytest.approx(0.5)
    assert trivial.skill(0.8, {"mean_mask": 0.8}) == 0
    assert trivial.skill(0.7, {"mean_mask": 0.8}) == pytest.approx(-0.5)
    assert math.isnan(trivial.skill(1.0, {"all_ones": 1.0})) and math.isnan(trivial.skill(1.0, {}))


def test_scattered_small_masses_still_give_a_mean_mask():
    masks = np.zeros((40, 64, 64), bool)
    for index in range(40):
        top, left = np.random.default_rng(index).integers(10, 45, 2)
        masks[index, top : top + 6, left : left + 6] = True
    fitted = trivial.TrivialMasks.fit(masks)
    assert 0 < fitted.masks((64, 64))["mean_mask"].mean() < 0.7
    assert trivial.trivial_dice(masks, fitted)["mean_mask"] > trivial.trivial_dice(masks, fitted)["all_ones"]


def test_empty_training_masks_give_an_empty_mean_mask():
    fitted = trivial.TrivialMasks.fit([np.zeros((16, 16))] * 2)
    assert not fitted.masks((16, 16))["mean_mask"].any()


def test_fitting_in_chunks_gives_the_same_result():
    cells = np.random.default_rng(0).random((2500, 9)).astype(np.float32)
    candidates = np.eye(9) + np.eye(9, k=1) > 0
    got = trivial._mean_dice(cells, candidates)
    for score, candidate in zip(got, candidates, strict=True):
        one = [2 * cell[candidate].sum() / (cell.sum() + candidate.sum()) for cell in cells]
        assert score == pytest.approx(np.mean(one), rel=1e-5)


@pytest.mark.parametrize("side", [32, 45, 100, 16])
def test_shrink_keeps_the_mean_and_enlarge_gives_the_size(side):
    values = np.random.default_rng(0).random((side, 2 * side))
    small = trivial.shrink(values, 32)
    assert small.shape == (32, 32) and small.mean() == pytest.approx(values.mean())
    if side % 32 == 0:
        np.testing.assert_allclose(small, values.reshape(32, side // 32, 32, side // 16).mean(axis=(1, 3)))
    assert trivial.enlarge(small, (side, 77)).shape == (side, 77)
