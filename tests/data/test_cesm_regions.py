import json

import cv2
import numpy as np
import pytest

from tfrespam.data.readers.cesm_regions import any_beyond, draw

SIZE = 20, 30


@pytest.mark.parametrize(("shape", "pixels"), [
    ({"name": "rect", "x": 2, "y": 3, "width": 4, "height": 5}, 5 * 6),
    ({"name": "circle", "cx": 10, "cy": 10, "r": 1}, 5),
    ({"name": "ellipse", "cx": 10, "cy": 10, "rx": 2, "ry": 1}, 7),
    ({"name": "polygon", "all_points_x": [0, 3, 3, 0], "all_points_y": [0, 0, 1, 1]}, 8),
])  # fmt: skip
def test_shapes_are_drawn(shape, pixels):
    mask, name = draw(json.dumps(shape), SIZE)
    assert mask.shape == SIZE and mask.sum() == pixels and name == shape["name"]


def test_points_and_damaged_regions_give_an_empty_mask():
    for region, told in (('{"name": "point", "cx": 1, "cy": 1}', "a point encloses no pixels"),
                         ("{", "the region cannot be read (JSONDecodeError)"),
                         ('{"name": "circle", "cx": 1}', "the region cannot be read (KeyError)")):  # fmt: skip
        mask, detail = draw(region, SIZE)
        assert not mask.any() and detail == told


def test_a_region_outside_the_image_is_reported(tmp_path):
    beyond = json.dumps({"name": "circle", "cx": 40, "cy": 10, "r": 1})
    mask, told = draw(beyond, SIZE)
    assert mask is None and "exceeds the image of 20 x 30" in told
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros(SIZE, np.uint8))
    inside = json.dumps({"name": "circle", "cx": 30.5, "cy": 10, "r": 1})  # a hand may draw a little too far
    assert any_beyond(tmp_path / "a.png", [inside, beyond])
    assert not any_beyond(tmp_path / "a.png", [inside, "{"]) and not any_beyond(tmp_path / "none.png", [beyond])
