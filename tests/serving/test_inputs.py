import cv2
import dicom_files
import numpy as np
import pytest
from PIL import Image

from tfrespam.errors import UserError
from tfrespam.serving import inputs

DEEP = np.random.default_rng(0).integers(0, 65536, (20, 30)).astype(np.uint16)


def write(path, picture=DEEP):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix, picture)[1].tobytes())
    return path


def test_find_takes_files_folders_and_globs_each_file_once(tmp_path):
    first, second = write(tmp_path / "b.png"), write(tmp_path / "sub dir" / "ä.jpg", (DEEP >> 8).astype(np.uint8))
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / ".hidden.png").write_bytes(b"")
    assert inputs.find([str(tmp_path)]) == [first, second]
    assert inputs.find([str(second), str(tmp_path), str(tmp_path / "*.png")]) == [second, first]
    assert inputs.find([str(tmp_path / "**" / "*.jpg")]) == [second]


def test_find_knows_pictures_without_a_suffix_and_keeps_damaged_ones_that_have_one(tmp_path):
    dicom = dicom_files.write(tmp_path / "1.2.840.1", DEEP)
    empty = tmp_path / "z.png"
    empty.touch()
    dicom_files.write(tmp_path / "DICOMDIR", DEEP)
    assert inputs.find([str(tmp_path)]) == [dicom, empty]


def test_find_takes_a_file_whose_name_looks_like_a_glob(tmp_path):
    file = write(tmp_path / "a[1].png")
    write(tmp_path / "a1.png")
    assert inputs.find([str(file)]) == [file]


def test_find_says_which_input_is_empty(tmp_path):
    with pytest.raises(UserError, match="no such file, folder or match: .*nothing.png"):
        inputs.find([str(tmp_path / "nothing.png")])
    with pytest.raises(UserError, match="holds no PNG, JPEG, TIFF or DICOM file"):
        inputs.find([str(tmp_path)])


def test_names_are_short_where_they_can_be_and_never_the_same(tmp_path):
    files = [tmp_path / name for name in
             ("x/1-1.dcm", "y/1-1.dcm", "y/other.png", "y/A.png", "z/a.jpg", "q/b.png", "q/b.jpg", "1.2.3", "1.2.4")]
    names = inputs.names(files)
    assert names == ["x_1-1", "y_1-1", "other", "y_A", "z_a", "q_b", "q_b_2", "1.2.3", "1.2.4"]
    assert inputs.names([tmp_path / "a.png"]) == ["a"]


def test_names_fit_a_file_system(tmp_path):
    deep = [tmp_path / ("ß" * 90) / ("long" * 20) / side / "1-1.dcm" for side in "ab"]
    names = inputs.names(deep)
    assert len(set(names)) == 2 and all(len(name.encode()) <= inputs.LONGEST_NAME for name in names)


def test_reads_png_and_jpeg_and_sends_them_as_they_are(tmp_path):
    for path in (write(tmp_path / "a.png"), write(tmp_path / "b.jpg", (DEEP >> 8).astype(np.uint8))):
        picture = inputs.read(path)
        assert picture.encoded == path.read_bytes() and picture.pixels.shape == DEEP.shape
        assert np.isnan(picture.spacing_mm)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_sends_tiff_as_png_with_all_its_bits(tmp_path, dtype):
    pixels = (DEEP >> (16 - 8 * np.dtype(dtype).itemsize)).astype(dtype)
    Image.fromarray(pixels).save(tmp_path / "a.tif")
    picture = inputs.read(tmp_path / "a.tif")
    np.testing.assert_array_equal(picture.pixels, pixels)
    sent = cv2.imdecode(np.frombuffer(picture.encoded, np.uint8), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(sent, pixels)
    assert sent.dtype == dtype


def test_sends_dicom_bright_on_dark_with_its_spacing(tmp_path):
    pixels = np.linspace(0, 4095, 600).reshape(20, 30).astype(np.uint16)
    film = dicom_files.write(tmp_path / "film", pixels, PhotometricInterpretation="MONOCHROME1",
                             SOPClassUID=dicom_files.MAMMOGRAPHY, ImagerPixelSpacing=[0.1, 0.1])  # fmt: skip
    picture = inputs.read(film)
    assert picture.spacing_mm == pytest.approx(0.1)
    sent = cv2.imdecode(np.frombuffer(picture.encoded, np.uint8), cv2.IMREAD_UNCHANGED)
    assert sent[0, 0] == 65535 and sent[-1, -1] == 0 and np.all(np.diff(sent.ravel().astype(int)) <= 0)


def test_refuses_what_it_cannot_read_whole(tmp_path):
    text = tmp_path / "a.png"
    text.write_text("no picture")
    with pytest.raises(UserError, match="not a PNG, JPEG, TIFF or DICOM file"):
        inputs.read(text)
    half = write(tmp_path / "half.png")
    half.write_bytes(half.read_bytes()[:200])
    with pytest.raises(UserError, match="truncated"):
        inputs.read(half)
    page = Image.fromarray(DEEP)
    page.save(tmp_path / "pages.tif", save_all=True, append_images=[page])
    with pytest.raises(UserError, match="one page. Received: 2 pages"):
        inputs.read(tmp_path / "pages.tif")
