import numpy as np
import pytest
from scipy.spatial.distance import pdist

from tfrespam.evaluation.extent import extent


def mask_of(*pixels: tuple[int, int]) -> np.ndarray:
    mask = np.zeros((30, 40), bool)
    mask[tuple(np.transpose(pixels))] = True
    return mask


def test_empty_mask_has_zero_extent():
    assert extent(np.zeros((5, 5), bool)) == (0, 0.0)


def test_diameter_of_a_pixel_and_of_a_row():
    assert extent(mask_of((3, 4))) == (1, 1.0)
    assert extent(mask_of(*((3, column) for column in range(5, 12)))) == (7, 7.0)


def test_longest_component_counts_without_the_gap_between_components():
    parts = [(0, 0), (0, 1), (0, 2), (29, 38), (29, 39)]
    assert extent(mask_of(*parts)) == (5, 3.0)


def test_holes_change_the_area_but_not_the_diameter():
    mask = np.zeros((30, 40), bool)
    mask[5:25, 5:35] = True
    whole = extent(mask)
    mask[10:20, 10:30] = False
    assert extent(mask) == (whole.area_px - 200, whole.longest_diameter_px)


@pytest.mark.parametrize("seed", range(5))
def test_diameter_is_the_largest_distance_between_two_pixels(seed):
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[:30, :40]
    slope = generator.uniform(-1, 1)
    mask = (rows - 15 - slope * (columns - 20)) ** 2 / 9 + (columns - 20) ** 2 / 150 < 1
    assert extent(mask).longest_diameter_px == pytest.approx(pdist(np.argwhere(mask)).max() + 1)
