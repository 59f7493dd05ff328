import dataclasses
import re

import cv2
import numpy as np
import pytest
from bright_network import Bright
from phantom_dicom import write_film

from tfrespam.core.errors import UserError
from tfrespam.data.geometry import crop
from tfrespam.evaluation.overlay import PREDICTION
from tfrespam.studies.demonstration.study import CORNER, Study


def disc(shape=(200, 300), centre=(150, 100), radius=40, value=60000):
    pixels = np.zeros(shape, np.uint16)
    return cv2.circle(pixels, centre, radius, value, -1)


def test_an_image_is_segmented_without_cropping():
    network, study = Bright(), Study("a", disc())
    done = study.segmented(network)
    np.testing.assert_allclose(network.shown[0, ..., 0], study.pixels / 65535, atol=1e-6)
    np.testing.assert_array_equal(done.mask(0.5), study.pixels > 0)
    assert done.mask(0.95).sum() == 0 and study.probability is None


def test_eight_bit_and_sixteen_bit_files_give_the_same_image():
    probabilities = [Study("a", pixels).segmented(Bright()).probability
                     for pixels in (np.full((9, 9), 255, np.uint8), np.full((9, 9), 65535, np.uint16))]  # fmt: skip
    np.testing.assert_array_equal(*probabilities)


def test_two_clicks_select_a_region_with_the_training_margin():
    network, study = Bright(), Study("a", disc((2000, 3000), (1500, 1000), 100))
    first = study.clicked(round(1590 * study.scale), round(1090 * study.scale))
    second = first.clicked(round(1410 * study.scale), round(910 * study.scale))
    assert first.box is None and second.corner is None
    np.testing.assert_allclose(second.box, (910, 1410, 1090, 1590), atol=3)
    done = second.segmented(network)
    side = network.shown.shape[1]
    assert network.shown.shape == (1, side, side, 1) and abs(side - 360) < 8
    outside = done.probability.copy()
    outside[800:1200, 1300:1700] = 0
    assert not outside.any() and done.mask(0.5).sum() == (study.pixels > 0).sum()
    assert done.clicked(0, 0).box is None


def test_a_box_at_the_film_edge_is_padded_with_black():
    """As in training: the input is the square of the crop policy, also beyond the edge of the film."""
    network, study = Bright(), Study("a", disc(centre=(20, 30), radius=15), box=(0, 0, 50, 50))
    done = study.segmented(network)
    region = crop.square_with_context(study.box, 2.0)
    assert region == (-25, -25, 75, 75) and network.shown.shape == (1, 100, 100, 1)
    np.testing.assert_array_equal(network.shown[0, :25], 0)
    np.testing.assert_array_equal(network.shown[0, :, :25], 0)
    np.testing.assert_allclose(network.shown[0, 25:, 25:, 0], study.pixels[:75, :75] / 65535, atol=1e-6)
    np.testing.assert_array_equal(done.mask(0.5), study.pixels > 0)
    whole = Study("a", disc(), box=(0, 0, 200, 300)).segmented(network)  # more than the picture
    np.testing.assert_array_equal(whole.mask(0.5), disc() > 0)


def test_a_box_smaller_than_8_pixels_is_rejected():
    with pytest.raises(UserError, match="smaller than 8 pixels"):
        Study("a", disc()).clicked(10, 10).clicked(12, 200)


def test_contour_corner_and_heat_map_are_drawn_at_page_size():
    study = Study("a", disc((2000, 1000), (500, 1000), 200)).segmented(Bright())
    picture = study.drawn(0.5)
    assert picture.shape == (1000, 500, 3)
    rim = np.argwhere((picture == PREDICTION).all(-1)) - (500, 250)
    np.testing.assert_allclose(np.linalg.norm(rim, axis=1), 100, atol=4)
    assert study.heat().shape == picture.shape and study.heat()[500, 250].mean() > study.heat()[10, 10].mean()
    assert (study.clicked(100, 100).drawn(0.5)[100, 100] == CORNER).all()
    assert Study("a", disc((50, 100), (50, 25), 5)).segmented(Bright()).drawn(0.5).shape == (240, 480, 3)


def test_measures_are_in_millimetres_where_the_spacing_is_known():
    study = Study("a", disc(radius=40), spacing_mm=0.1).segmented(Bright())
    found = dict(study.measures(0.5))
    area = int((study.pixels > 0).sum())
    assert found["area"] == f"{area * 0.1**2:.1f} mm² ({area} px)"
    assert re.fullmatch(r"8\.[12] mm \(8[12]\.\d px\)", found["longest diameter"])
    found = dict(Study("a", disc()).segmented(Bright()).measures(0.99))
    assert found["area"] == "0 px" and found["mean probability inside"] == "–" and found["pixel spacing"] == "unknown"


def test_file_types_are_detected_by_content(tmp_path):
    write_film(tmp_path / "film", 64, 48)
    assert Study.read(tmp_path / "film").pixels.shape == (64, 48)
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno more")
    with pytest.raises(UserError):
        Study.read(tmp_path / "broken.png")


def test_dicom_objects_name_the_networks_that_ran():
    """After the first corner of a new box the mask is still that of the old one."""
    class Films(Bright):
        metadata = {"data": {"view": "film"}, "name": "films"}  # noqa: RUF012

    study = dataclasses.replace(Study("a", disc(), float("nan"), None), is_film=True)
    boxed = study.clicked(80, 20).clicked(220, 180).segmented(Bright(), Films())
    assert boxed.clicked(5, 5).algorithm(Bright(), Films(), 0.7).threshold == 0.7
    searched = dataclasses.replace(study, labels=np.zeros((200, 300), np.uint16))
    assert searched.algorithm(Bright(), Films(), 0.7).name == "films + tfrespam"
