import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tfrespam.data.readers.image_file import read_image
from tfrespam.data.readers.mask_levels import is_in_background, lesion, read_levels, sense_problem
from tfrespam.data.readers.records import Action

DISK = np.hypot(*(np.mgrid[:60, :50] - 25.0)) < 9
GREY = DISK.astype(np.uint8)


def file(picture, kind="PNG", **options):
    buffer = io.BytesIO()
    (picture if isinstance(picture, Image.Image) else Image.fromarray(picture)).save(buffer, kind, **options)
    return read_image(buffer.getvalue())


def found(picture, lossy=False):
    return lesion(picture if isinstance(picture, np.ndarray) else read_levels(picture), lossy)


WHITE = np.full(DISK.shape, 255, np.uint8)
NOISE = np.random.default_rng(0)


def palette(colours):
    picture = Image.fromarray(GREY, "P")
    picture.putpalette(colours + [0] * (768 - len(colours)))
    return picture


@pytest.mark.parametrize("picture", [
    GREY, GREY * 100, GREY * 255, DISK, (GREY * np.uint16(4095)), np.dstack([GREY * 255, GREY * 0, GREY * 0]),
    np.dstack([GREY * 0, GREY * 0, GREY]),  # dark blue, whose luminance is 0
    np.dstack([WHITE] * 3 + [GREY * 255]), np.dstack([WHITE, GREY * 255]),  # painted into the transparency
    np.dstack([GREY * 0] * 3 + [GREY * 255]), np.dstack([GREY * 255] * 3 + [WHITE]),
    palette([0, 0, 0, 253, 231, 37])])  # fmt: skip
def test_the_disk_is_found(picture):
    mask, action, detail = found(file(picture))
    assert (action, detail) == (Action.USED, "")
    np.testing.assert_array_equal(mask, DISK)


@pytest.mark.parametrize(("picture", "words"), [
    (1 + GREY, "no pixel of 0.*greys are 1, 2"), (255 - GREY * 255, "inverted"), (WHITE, "no pixel of 0"),
    (255 * (1 - GREY), "inverted"),
    (palette([68, 1, 84, 253, 231, 37]), "no pixel of 0"),
    (np.where(DISK, 1, np.where(np.arange(50) < 3, 255, 0)).astype(np.uint8), "classes, or noise"),
    (NOISE.integers(0, 256, DISK.shape).astype(np.uint8), "an image"),
])  # fmt: skip
def test_masks_with_uncertain_foreground_are_ambiguous(picture, words):
    mask, action, detail = found(file(picture))
    assert mask is None and action is Action.SKIPPED_AMBIGUOUS
    import re

    assert re.search(words, detail)


def test_a_black_mask_is_empty():
    assert found(GREY * 0)[1] is found(GREY * 0, lossy=True)[1] is Action.SKIPPED_EMPTY


@pytest.mark.parametrize(("brightest", "quality"), [(255, 50), (255, 95), (100, 75), (100, 95), (60, 95)])
def test_jpeg_masks_are_cut_at_half_of_their_brightest_grey(brightest, quality):
    large = np.kron(GREY, np.ones((6, 6), np.uint8))
    mask, action, _ = found(file(large * brightest, "JPEG", quality=quality), lossy=True)
    assert action is Action.USED and (mask == large).mean() > 0.98


@pytest.mark.parametrize("brightest", [1, 5, 12])
def test_a_jpeg_mask_that_noise_could_have_made_is_ambiguous(brightest):
    mask, action, detail = found(np.where(DISK, brightest, 0).astype(np.uint8), lossy=True)
    assert mask is None and action is Action.SKIPPED_AMBIGUOUS and str(brightest) in detail


def test_compression_noise_in_a_lossless_file_is_removed():
    levels = np.asarray(Image.open(io.BytesIO(_jpeg(GREY * 255))))
    mask, action, detail = found(file(levels))
    assert action is Action.USED and "above half of the brightest" in detail and (mask == DISK).mean() > 0.98
    few = np.where(DISK, 250 + NOISE.integers(0, 6, DISK.shape), NOISE.integers(0, 4, DISK.shape)).astype(np.uint8)
    mask, action, detail = found(few)
    np.testing.assert_array_equal(mask, DISK)
    assert action is Action.USED and "above half of the brightest" in detail


def _jpeg(levels):
    buffer = io.BytesIO()
    Image.fromarray(levels).save(buffer, "JPEG", quality=75)
    return buffer.getvalue()


def test_all_numbered_classes_are_lesion():
    levels = GREY * 40
    levels[10:14, 30:40], levels[40:44, 5:9] = 80, 120
    mask, action, detail = found(levels)
    np.testing.assert_array_equal(mask, levels > 0)
    assert action is Action.USED and "more than two greys" in detail


def test_a_lesion_that_fills_its_crop_is_accepted():
    """In a tight crop the mass covers most of the image, but not its edge."""
    mask = np.hypot(*(np.mgrid[:40, :40] - 19.5)) < 19.5
    assert mask.mean() > 0.7 and sense_problem(mask) == ""


def test_a_lesion_on_dark_background_is_detected():
    image = np.zeros((60, 50), np.uint16)
    image[:, :25] = 30000
    assert is_in_background(np.roll(DISK, 20, axis=1) & (np.arange(50) > 30), image)
    assert not is_in_background(DISK, image) and not is_in_background(DISK, image + 9000)


@settings(max_examples=200, deadline=None)
@given(data=st.data(), lossy=st.booleans())
def test_masks_without_foreground_or_background_are_not_used(data, lossy):
    greys = data.draw(st.lists(st.integers(0, 255), min_size=1, max_size=30))
    levels = np.array(data.draw(st.lists(st.sampled_from(greys), min_size=36, max_size=36)), np.uint8).reshape(6, 6)
    mask, action, detail = lesion(levels, lossy)
    if mask is None:
        assert action in (Action.SKIPPED_AMBIGUOUS, Action.SKIPPED_EMPTY) and detail
    else:
        assert action is Action.USED and mask.any() and not mask.all() and mask[levels == levels.max()].all()
        assert not mask[levels == 0].any()
