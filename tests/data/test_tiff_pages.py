import numpy as np
import pytest
from PIL import Image

from tfrespam.core.errors import UserError
from tfrespam.data.readers.tiff_pages import NEW_SUBFILE_TYPE, PHOTOMETRIC, refuse_several, white_is_zero

PAGE = Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8))


def saved(path, *others, **options):
    PAGE.save(path, save_all=bool(others), append_images=list(others), **options)
    return Image.open(path)


def test_a_single_page_is_accepted(tmp_path):
    refuse_several(saved(tmp_path / "a.tif"))
    refuse_several(saved(tmp_path / "a.png"))


def test_several_pages_are_refused(tmp_path):
    with pytest.raises(UserError, match="expected a TIFF with one page. Received: 2 pages"):
        refuse_several(saved(tmp_path / "a.tif", PAGE))


def test_reduced_copies_of_the_first_page_are_ignored(tmp_path):
    preview = PAGE.resize((4, 4))
    preview.encoderinfo = {"tiffinfo": {NEW_SUBFILE_TYPE: 1}}
    picture = saved(tmp_path / "a.tif", preview)
    refuse_several(picture)
    assert picture.tell() == 0


def test_photometric_interpretation_white_is_zero_is_detected(tmp_path):
    deep = Image.fromarray(np.arange(64, dtype=np.uint16).reshape(8, 8))
    deep.save(tmp_path / "white.tif", tiffinfo={PHOTOMETRIC: 0})
    deep.save(tmp_path / "black.tif")
    with Image.open(tmp_path / "white.tif") as white, Image.open(tmp_path / "black.tif") as black:
        assert (white_is_zero(white), white_is_zero(black)) == (65535 if white.tag_v2[PHOTOMETRIC] == 0 else 0, 0)
    assert white_is_zero(saved(tmp_path / "a.png")) == 0
