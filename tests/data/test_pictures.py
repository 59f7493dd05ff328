import numpy as np
import pytest
from PIL import Image

from tfrespam.data.pictures import read_picture
from tfrespam.errors import UserError

GREY = np.random.default_rng(0).integers(0, 256, (20, 30)).astype(np.uint8)


@pytest.mark.parametrize("suffix", ["png", "tif", "bmp"])
def test_eight_bits_come_back_as_stored(tmp_path, suffix):
    Image.fromarray(GREY).save(tmp_path / f"a.{suffix}")
    np.testing.assert_array_equal(read_picture(tmp_path / f"a.{suffix}"), GREY)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bits_come_back_as_stored(tmp_path, suffix):
    deep = GREY.astype(np.uint16) * 257
    Image.fromarray(deep).save(tmp_path / f"a.{suffix}")
    read = read_picture((tmp_path / f"a.{suffix}").read_bytes())
    assert read.dtype == np.uint16
    np.testing.assert_array_equal(read, deep)


def test_one_bit_and_colour_become_grey(tmp_path):
    Image.fromarray(GREY > 100).save(tmp_path / "bit.png")
    np.testing.assert_array_equal(read_picture(tmp_path / "bit.png"), (GREY > 100) * 255)
    Image.fromarray(np.stack([GREY] * 3, axis=2)).save(tmp_path / "colour.png")
    np.testing.assert_array_equal(read_picture(tmp_path / "colour.png"), GREY)


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif"])
def test_truncated_picture_is_refused(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(GREY).save(path)
    with pytest.raises(UserError, match="truncated"):
        read_picture(path.read_bytes()[: path.stat().st_size * 2 // 3])


def test_absurd_size_is_refused_before_decoding(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(GREY).save(path)
    content = bytearray(path.read_bytes())
    content[16:24] = (60000).to_bytes(4, "big") * 2
    with pytest.raises(UserError):
        read_picture(bytes(content))


def test_other_files_are_refused(tmp_path):
    (tmp_path / "a.png").write_text("nothing")
    Image.fromarray(GREY.astype(np.float32)).save(tmp_path / "a.tif")
    for path in (tmp_path / "a.png", tmp_path / "a.tif", tmp_path / "none.png", tmp_path):
        with pytest.raises(UserError):
            read_picture(path)
