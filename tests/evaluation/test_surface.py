"""Surface distances against a brute-force computation over all pairs of pixels."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tfrespam.evaluation import surface

_MASKS = hnp.arrays(bool, st.just((9, 7)))


def _edge(mask):
    """Return the pixels of the mask with a neighbour in the background or outside the image."""
    inside = {(int(y), int(x)) for y, x in np.argwhere(mask)}
    return [(y, x) for y, x in inside if {(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)} - inside]


def _percentile(values, share):
    """Compute a percentile by linear interpolation between order statistics."""
    values = sorted(values)
    position = share * (len(values) - 1)
    low = math.floor(position)
    high = min(low + 1, len(values) - 1)
    return values[low] + (position - low) * (values[high] - values[low])


def _brute_force(reference, prediction, tolerance):
    a, b = _edge(reference), _edge(prediction)
    there = [min(math.dist(p, q) for q in b) for p in a]
    back = [min(math.dist(p, q) for p in a) for q in b]
    both = there + back
    return {"hd95": max(_percentile(there, 0.95), _percentile(back, 0.95)), "assd": sum(both) / len(both),
            "nsd": sum(distance <= tolerance for distance in both) / len(both)}


@settings(max_examples=80, deadline=None)
@given(_MASKS, _MASKS, st.sampled_from([1.0, 2.0, 3.0]))
def test_scores_match_brute_force(reference, prediction, tolerance):
    assume(reference.any() and prediction.any())
    expected = _brute_force(reference, prediction, tolerance)
    assert surface.surface_scores(reference, prediction, tolerance) == pytest.approx(expected, abs=1e-12)


def test_square_shifted_by_three_pixels():
    reference, prediction = np.zeros((30, 30)), np.zeros((30, 30))
    reference[5:15, 5:15], prediction[5:15, 8:18] = 1, 1
    scores = surface.surface_scores(reference, prediction)
    assert scores["hd95"] == 3
    assert scores == pytest.approx(_brute_force(reference > 0, prediction > 0, 2.0))
    assert 0 < scores["nsd"] < 1


def test_empty_masks():
    empty, full = np.zeros((4, 4)), np.ones((4, 4))
    assert surface.surface_scores(empty, empty) == {"hd95": 0, "assd": 0, "nsd": 1}
    for scores in (surface.surface_scores(empty, full), surface.surface_scores(full, empty)):
        assert math.isnan(scores["hd95"]) and math.isnan(scores["assd"]) and scores["nsd"] == 0


def test_masks_cut_by_the_image_edge_have_an_outline_there():
    assert len(surface.outline(np.ones((5, 6)))) == 18
    assert surface.surface_scores(np.ones((5, 6)), np.ones((5, 6))) == {"hd95": 0, "assd": 0, "nsd": 1}
