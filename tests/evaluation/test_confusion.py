"""Overlap scores against sets of pixels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tfrespam.evaluation import confusion

_MASKS = hnp.arrays(bool, st.just((3, 5, 4)))


def _share(part, whole, agree):
    return len(part) / len(whole) if whole else float(agree)


def _by_sets(reference, prediction):
    """Compute the scores of one image from sets of pixel positions."""
    everything = set(np.ndindex(reference.shape))
    r = {pixel for pixel in everything if reference[pixel]}
    p = {pixel for pixel in everything if prediction[pixel]}
    not_r, not_p, agree = everything - r, everything - p, r == p
    iou, background = _share(r & p, r | p, agree), _share(not_r & not_p, not_r | not_p, agree)
    dice = 2 * len(r & p) / (len(r) + len(p)) if r or p else 1.0
    dice_background = 2 * len(not_r & not_p) / (len(not_r) + len(not_p)) if not_r or not_p else 1.0
    return {"dice": dice, "iou": iou, "miou": (iou + background) / 2, "dice_two_class": (dice + dice_background) / 2,
            "precision": _share(r & p, p, agree), "sensitivity": _share(r & p, r, agree),
            "specificity": _share(not_r & not_p, not_r, agree)}


@settings(max_examples=60, deadline=None)
@given(_MASKS, _MASKS)
def test_scores_per_image_match_sets_of_pixels(references, predictions):
    counts = confusion.count_pixels(references, predictions)
    for index in range(len(references)):
        expected = _by_sets(references[index], predictions[index])
        for name, score in confusion.SCORES.items():
            assert score(counts)[index] == pytest.approx(expected[name], abs=1e-12), name


@settings(max_examples=30, deadline=None)
@given(_MASKS, _MASKS)
def test_pooled_scores_match_one_image_of_all_pixels(references, predictions):
    pooled = confusion.count_pixels(references, predictions).pooled()
    for name, value in _by_sets(references, predictions).items():
        assert confusion.SCORES[name](pooled) == pytest.approx(value, abs=1e-12), name


@settings(max_examples=30, deadline=None)
@given(_MASKS, _MASKS)
def test_identities(references, predictions):
    counts = confusion.count_pixels(references, predictions)
    d = confusion.dice(counts)
    np.testing.assert_allclose(confusion.iou(counts), d / (2 - d), atol=1e-12)
    np.testing.assert_array_equal(d, confusion.dice(confusion.count_pixels(predictions, references)))
    np.testing.assert_array_equal(confusion.iou_background(counts),
                                  confusion.iou(confusion.count_pixels(~references, ~predictions)))
    assert sum(int(count.sum()) for count in counts) == references.size


@pytest.mark.parametrize("reference, prediction, expected", [
    (0, 0, {"dice": 1, "iou": 1, "miou": 1, "precision": 1, "sensitivity": 1, "specificity": 1}),
    (0, 1, {"dice": 0, "iou": 0, "miou": 0, "precision": 0, "sensitivity": 0, "specificity": 0}),
    (1, 0, {"dice": 0, "iou": 0, "miou": 0, "precision": 0, "sensitivity": 0, "specificity": 0}),
    (1, 1, {"dice": 1, "iou": 1, "miou": 1, "precision": 1, "sensitivity": 1, "specificity": 1}),
])  # fmt: skip
def test_scores_of_empty_masks(reference, prediction, expected):
    counts = confusion.count_pixels(np.full((1, 4, 4), reference), np.full((1, 4, 4), prediction))
    assert {name: float(confusion.SCORES[name](counts)[0]) for name in expected} == expected


def test_different_shapes_are_rejected_and_the_threshold_is_inclusive():
    with pytest.raises(ValueError, match="Received"):
        confusion.count_pixels(np.zeros((1, 4, 4)), np.zeros((1, 4, 5)))
    assert confusion.binarise(np.array([0.5, 0.49999], "float32")).tolist() == [True, False]


def test_likeliest_selects_the_requested_number_of_pixels():
    probability = np.array([[0.1, 0.6], [0.4, 0.6]], np.float32)
    np.testing.assert_array_equal(confusion.likeliest(probability, 3), [[False, True], [True, True]])
    np.testing.assert_array_equal(confusion.likeliest(probability, 1), [[False, True], [False, False]])
    assert not confusion.likeliest(probability, 0).any()
