import numpy as np
import pytest

from tfrespam.data.readers import masks

MASK = np.zeros((40, 30), bool)
MASK[12:26, 8:20] = True


@pytest.mark.parametrize("trim", [np.s_[3:, :-5], np.s_[:-4, 2:], np.s_[:, 6:], np.s_[1:-1, :]])
def test_a_trimmed_mask_is_shifted_by_at_most_half_of_the_loss(trim):
    trimmed = MASK[trim]
    fitted = masks.fit(trimmed, MASK.shape)
    assert fitted.shape == MASK.shape and fitted.sum() == MASK.sum()
    moved = np.abs(np.argwhere(fitted).min(axis=0) - np.argwhere(MASK).min(axis=0))
    lost = np.subtract(MASK.shape, trimmed.shape)
    assert (moved <= (lost + 1) // 2).all()


def test_an_added_border_is_removed():
    bordered = np.pad(MASK, 3)
    np.testing.assert_array_equal(masks.fit(bordered, MASK.shape), MASK)


@pytest.mark.parametrize("factor", [2, 3])
def test_a_scaled_mask_is_resized_to_the_film(factor):
    scaled = np.kron(MASK, np.ones((factor, factor), bool))
    np.testing.assert_array_equal(masks.fit(scaled, MASK.shape), MASK)


def test_masks_with_two_grey_levels_are_recognised():
    two = MASK.astype(np.uint8) * 200 + 5
    many = two.copy()
    many[0, 0] = 100
    assert masks.is_two_grey(two, lossy=False) and not masks.is_two_grey(many, lossy=False)
    assert masks.is_two_grey(many, lossy=True)
    assert not masks.is_two_grey(np.arange(256, dtype=np.uint8).reshape(16, 16), lossy=True)
    np.testing.assert_array_equal(masks.brighter(two, lossy=False), MASK)
    np.testing.assert_array_equal(masks.brighter(two, lossy=True), MASK)
    assert not masks.brighter(np.full((4, 4), 9, np.uint8), lossy=False).any()


def test_mask_sizes_that_belong_to_a_film():
    assert masks.belongs((40, 30), (41, 30)) and masks.belongs((20, 15), (40, 30))
    assert masks.belongs((32, 26), (40, 30))  # 0.8 and 0.87: a film digitised twice
    assert not masks.belongs((19, 30), (40, 30)) and not masks.belongs((40, 61), (40, 30))
    assert not masks.belongs((30, 40), (40, 30)) and not masks.belongs((38, 40), (40, 38))  # transposed
    assert not masks.belongs((20, 30), (40, 30))  # squeezed one way alone
