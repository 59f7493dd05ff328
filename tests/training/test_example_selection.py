import numpy as np

from tfrespam.training.tensorboard.example_selection import KINDS, pick, watched


def masks(number=20, side=64):
    """Return squares of one size: the first in the centre, later ones increasingly to the left or right of it."""
    made = np.zeros((number, side, side, 1), np.float32)
    for place in range(number):
        left = side // 4 + place * side // (4 * number) * (-1) ** place
        made[place, side // 4 : 3 * side // 4, left : left + side // 2] = 1
    return made


def test_easy_examples_are_fitted_best_and_hard_ones_worst():
    picked = pick(masks(), 6)
    assert list(picked) == list(KINDS) and [len(places) for places in picked.values()] == [2, 2, 2]
    assert max(picked["easy"]) < min(picked["median"]) < max(picked["median"]) < min(picked["hard"])


def test_ties_are_ordered_deterministically_and_the_number_is_exact():
    same = np.ones((9, 8, 8, 1))
    assert pick(same, 3) == pick(same, 3) and sum(map(len, pick(same, 7).values())) == 7
    assert list(pick(same, 1)) == ["easy"]


def test_few_examples_are_selected_once_each():
    places = [place for positions in pick(masks(2), 6).values() for place in positions]
    assert sorted(places) == [0, 1]


def test_watched_examples_are_the_selected_ones():
    all_masks = masks()
    images = np.arange(20, dtype=np.float32)[:, None, None, None] * np.ones((1, 64, 64, 1), np.float32)

    def batches():
        return ((images[start : start + 3], all_masks[start : start + 3]) for start in range(0, 20, 3))

    cases = watched(batches, 6)
    places = [place for positions in pick(all_masks, 6).values() for place in positions]
    assert cases.images[:, 0, 0, 0].tolist() == places and cases.kinds == [kind for kind in KINDS for _ in range(2)]
    np.testing.assert_array_equal(cases.masks, all_masks[places])
