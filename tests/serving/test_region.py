import cv2
import numpy as np
import pytest

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
    data = region.cut(picture, square)
    part = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    mask = cv2.imencode(".png", np.where(part > 30000, 255, 0).astype(np.uint8))[1].tobytes()
    whole = region.paste(Segmentation(mask, data, 0.5), square, picture.shape)
    pasted = cv2.imdecode(np.frombuffer(whole.probability_png, np.uint8), cv2.IMREAD_UNCHANGED)
    y0, x0, y1, x1 = square
    inside = np.zeros(picture.shape, bool)
    inside[max(y0, 0) : y1, max(x0, 0) : x1] = True
    assert pasted.dtype == np.uint16
    np.testing.assert_array_equal(pasted, np.where(inside, picture, 0))
    assert whole.tumour_fraction == pytest.approx(np.mean(inside & (picture > 30000)))
