import cv2
import numpy as np
import pytest

from tfrespam.core import png
from tfrespam.core.errors import UserError
from tfrespam.data.phantom.film import draw_film
from tfrespam.data.phantom.patient import draw_patient
from tfrespam.serving.inference import region
from tfrespam.serving.inference.saved_model import Segmentation


@pytest.fixture(scope="module")
def phantom():
    rng = np.random.default_rng([0, 0])
    patient = draw_patient(0, rng)
    return draw_film(patient.breasts[0], patient.density, "MLO", rng)


@pytest.mark.parametrize("box", [(5, 5, 5, 9), (9, 5, 5, 9), (-1, 0, 5, 5), (0, 0, 31, 5), (0, 0, 5, 41)])
def test_a_box_must_lie_inside(box):
    with pytest.raises(UserError, match=r"inside the image of 30 x 40 pixels. Received: -?\d+ \d+ \d+ \d+"):
        region.around(box, 1.6, (30, 40))


def test_around_gives_the_training_crop_without_shift():
    assert region.around((10, 10, 20, 16), 2.0, (100, 100)) == (5, 3, 25, 23)


@pytest.mark.parametrize("square", [(5, 10, 25, 30), (-4, -6, 36, 34), (20, 30, 40, 50)])
def test_a_crop_is_pasted_where_it_was_cut(square):
    picture = np.random.default_rng(0).integers(0, 65536, (30, 40)).astype(np.uint16)
    part = region.cut(picture, square)
    data = png.encode(part)
    mask = png.encode(np.where(part > 30000, 255, 0).astype(np.uint8))
    whole = region.paste(Segmentation(mask, data, 0.5), square, picture.shape)
    pasted = cv2.imdecode(np.frombuffer(whole.probability_png, np.uint8), cv2.IMREAD_UNCHANGED)
    y0, x0, y1, x1 = square
    inside = np.zeros(picture.shape, bool)
    inside[max(y0, 0) : y1, max(x0, 0) : x1] = True
    assert pasted.dtype == np.uint16
    np.testing.assert_array_equal(pasted, np.where(inside, picture, 0))
    assert whole.tumour_fraction == pytest.approx(np.mean(inside & (picture > 30000)))


ONE, RANGE = {"data": {"context": 1.6}}, {"data": {"context": 1.6}, "augment": {"context_range": [1.0, 2.4]}}


@pytest.mark.parametrize(("shape", "context", "metadata", "square"), [
    ((100, 80), 1.0, ONE, (-30, -40, 130, 120)),  # a tight crop is extended to 160 pixels
    ((100, 80), 3.2, ONE, (25, 15, 75, 65)),  # a wide one is cut to 50
    ((100, 100), 1.6, ONE, (0, 0, 100, 100)),
    ((100, 100), 1.2, RANGE, (0, 0, 100, 100)),  # a context of the training crops
    ((100, 100), 4.8, RANGE, (25, 25, 75, 75)),  # the largest of them is 2.4
    ((10, 10), 20.0, ONE, (1, 1, 9, 9)),  # at least 8 pixels
])  # fmt: skip
def test_crops_are_recentred_at_the_context_of_the_training(shape, context, metadata, square):
    assert region.recentred(shape, context, region.trained_contexts(metadata)) == square


@pytest.mark.parametrize("square", [(-3, -2, 9, 10), (2, 1, 5, 4), (-20, -20, 30, 30), (-1, 2, 5, 5)])
def test_mirrored_margins_are_those_of_opencv(square):
    image = np.random.default_rng(0).integers(0, 65536, (6, 7)).astype(np.uint16)
    wide = cv2.copyMakeBorder(image, 40, 40, 40, 40, cv2.BORDER_REFLECT_101)
    y0, x0, y1, x1 = (side + 40 for side in square)
    np.testing.assert_array_equal(region.cut(image, square, mirrored=True), wide[y0:y1, x0:x1])


@pytest.mark.parametrize("context", [0.5, 21, float("nan"), float("inf")])
def test_an_impossible_context_is_rejected(context):
    with pytest.raises(UserError, match="`context` must be the longest side of a crop divided by"):
        region.InputDescription(context=context)
    with pytest.raises(UserError, match="give one of `box` and `context`"):
        region.InputDescription(context=2.0, box=(1, 2, 3, 4))


def test_an_implied_context_needs_a_network_of_one_known_context():
    shape = (100, 80)
    assert region.shown(shape, ONE, None, 1.35) == region.recentred(shape, 1.35, (1.6, 1.6))
    for metadata in ({}, RANGE, {"data": {"view": "film", "context": 1.6}}):
        assert region.shown(shape, metadata, None, 1.35) is None
    assert region.shown(shape, ONE, 2.0, 1.35) == region.recentred(shape, 2.0, (1.6, 1.6))
    assert region.shown(shape, ONE, None) is None
