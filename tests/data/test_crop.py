import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfrespam.core.errors import UserError
from tfrespam.data.geometry import crop

SIDES = st.integers(20, 60)


@st.composite
def masks(draw):
    """Draw a film's size and one box of mass in it."""
    rows, columns = draw(SIDES), draw(SIDES)
    y0, x0 = draw(st.integers(0, rows - 2)), draw(st.integers(0, columns - 2))
    y1, x1 = draw(st.integers(y0 + 1, rows)), draw(st.integers(x0 + 1, columns))
    mask = np.zeros((rows, columns), bool)
    mask[y0:y1, x0:x1] = True
    return mask, (y0, x0, y1, x1)


@given(masks())
def test_bounding_box_is_the_smallest(drawn):
    mask, box = drawn
    assert crop.bounding_box(mask) == box


def test_bounding_box_of_scattered_pixels():
    mask = np.zeros((9, 9), bool)
    mask[2, 7] = mask[5, 1] = True
    assert crop.bounding_box(mask) == (2, 1, 6, 8)


@given(masks(), st.text(max_size=12), st.floats(1, 3))
@settings(max_examples=200)
def test_crop_is_a_square_that_contains_its_lesion(drawn, name, context):
    mask, (y0, x0, y1, x1) = drawn
    top, left, bottom, right = crop.roi_box(mask, name, context)
    side, longest = bottom - top, max(y1 - y0, x1 - x0)
    assert side == right - left == max(round(context * longest), 8)
    assert top <= y0 and left <= x0 and bottom >= y1 and right >= x1
    # shifted by at most half of the margin on each side of the longest side (a quarter of the whole margin) + rounding
    reach = (side - longest) / 4 + 0.5
    for low, high, first, last in ((top, bottom, y0, y1), (left, right, x0, x1)):
        assert abs((low + high) / 2 - (first + last) / 2) <= reach


def test_jitter_depends_only_on_the_lesion_and_covers_its_range():
    shifts = np.array([crop.jitter(f"P_{number:05}_LEFT_CC_1") for number in range(2000)])
    assert crop.jitter("P_00001_LEFT_CC_1") == tuple(shifts[1])
    # fixed values, so that the next version of the software cuts the same crops
    assert crop.jitter("P_00001_LEFT_CC_1") == pytest.approx((-0.4404965, 0.2965509), abs=1e-7)
    assert shifts.min() >= -1 and shifts.max() <= 1 and np.ptp(shifts, axis=0).min() > 1.99
    assert np.abs(shifts.mean(axis=0)).max() < 0.05 and abs(np.corrcoef(shifts.T)[0, 1]) < 0.06


def test_crops_are_shifted_so_that_masses_are_not_always_centred():
    mask = np.zeros((400, 400), bool)
    mask[150:250, 150:250] = True
    tops = {crop.roi_box(mask, str(name), 1.6)[0] for name in range(300)}
    assert min(tops) == 105 and max(tops) == 135


@given(masks(), st.text(max_size=4), st.floats(1, 2.5))
@settings(max_examples=200)
def test_crop_inside_the_film_is_unchanged(drawn, name, context):
    mask, _ = drawn
    rows, columns = mask.shape
    film = np.arange(rows * columns, dtype=np.uint16).reshape(mask.shape)
    top, left, bottom, right = crop.roi_box(mask, name, context)
    piece = crop.cut(film, (top, left, bottom, right))
    assert piece.shape == (bottom - top, right - left) and piece.dtype == film.dtype
    ys, xs = np.arange(max(top, 0), min(bottom, rows)), np.arange(max(left, 0), min(right, columns))
    np.testing.assert_array_equal(piece[np.ix_(ys - top, xs - left)], film[np.ix_(ys, xs)])


@given(masks(), st.text(max_size=4), st.floats(1, 2.5))
@settings(max_examples=100)
def test_image_and_mask_are_cropped_alike(drawn, name, context):
    mask, _ = drawn
    box = crop.roi_box(mask, name, context)
    film = np.where(mask, 65535, 7).astype(np.uint16)
    np.testing.assert_array_equal(crop.cut(film, box) == 65535, crop.cut(mask.view(np.uint8), box) > 0)


@pytest.mark.parametrize("box", [(-2, -1, 7, 7), (-9, -9, 11, 12)])
def test_pixels_outside_the_film_are_zero(box):
    film = np.arange(1, 21, dtype=np.uint16).reshape(4, 5)
    top, left, bottom, right = box
    np.testing.assert_array_equal(crop.cut(film, box), np.pad(film, ((-top, bottom - 4), (-left, right - 5))))


def test_a_crop_outside_its_film_is_rejected():
    with pytest.raises(UserError, match="lies outside its film. Expected an overlap with 4 x 5 pixels"):
        crop.cut(np.zeros((4, 5), np.uint16), (4, 0, 8, 4))


@given(st.integers(-20, 20), st.integers(-20, 20), st.integers(1, 40), st.integers(1, 40))
def test_square_is_the_smallest_around_its_box(y0, x0, height, width):
    top, left, bottom, right = crop.frame_around((y0, x0, y0 + height, x0 + width), 1)
    assert bottom - top == right - left == max(height, width)
    assert top <= y0 and left <= x0 and bottom >= y0 + height and right >= x0 + width
    assert abs(top + bottom - 2 * y0 - height) <= 1 and abs(left + right - 2 * x0 - width) <= 1


@pytest.mark.parametrize(("box", "square"), [
    ((40, 60, 50, 80), (29, 54, 61, 86)), ((0, 190, 20, 200), (-6, 179, 26, 211)),  # beyond the edge of a film
])  # fmt: skip
def test_square_with_context_is_centred_on_the_box(box, square):
    assert crop.square_with_context(box, 1.6) == square


def test_resizing_keeps_the_mean_and_the_dtype():
    image = np.random.default_rng(0).integers(0, 65536, (96, 96), dtype=np.uint16)
    small = crop.resize_image(image, 32)
    assert small.shape == (32, 32) and small.dtype == np.uint16
    np.testing.assert_allclose(small, image.reshape(32, 3, 32, 3).mean(axis=(1, 3)), atol=0.51)
    large = crop.resize_image(small, 64)
    assert large.shape == (64, 64) and large.dtype == np.uint16
    assert abs(large.mean() - small.mean()) < 300


def test_a_pixel_is_mass_if_half_of_its_area_is():
    mask = np.zeros((8, 8), bool)
    mask[0, :2] = mask[2, 2] = True  # half of one 2 x 2 block, a quarter of another
    small = crop.resize_mask(mask, 4)
    assert small.dtype == np.uint8 and small.sum() == 1 and small[0, 0] == 1


@pytest.mark.parametrize("box", [(0, 0, 10, 4), (3, 5, 13, 30), (0, 0, 7, 7), (-4, 2, 90, 11)])
@pytest.mark.parametrize("size", [(512, 288), (32, 64), (96, 96)])
def test_frame_is_the_smallest_of_its_aspect_ratio_around_a_box(box, size):
    y0, x0, y1, x1 = box
    top, left, bottom, right = crop.frame_around(box, size)
    height, width = bottom - top, right - left
    assert top <= y0 and left <= x0 and bottom >= y1 and right >= x1
    assert height == y1 - y0 or width == x1 - x0
    assert abs(height * size[1] / size[0] - width) <= 1
    assert abs((top + bottom) - (y0 + y1)) <= 1 and abs((left + right) - (x0 + x1)) <= 1


def test_an_image_is_resized_to_height_and_width():
    image = np.repeat(np.arange(8, dtype=np.uint16) * 100, 4).reshape(8, 4)
    assert crop.resize_image(image, (4, 2)).tolist() == [[50, 50], [250, 250], [450, 450], [650, 650]]
    assert crop.resize_mask(image > 250, (4, 2)).tolist() == [[0, 0], [1, 1], [1, 1], [1, 1]]
