import time
from collections import Counter

import cv2
import dicom_files
import numpy as np
import pytest
from PIL import Image

from tfrespam.core.errors import UserError
from tfrespam.serving.inference import inputs

DEEP = np.random.default_rng(0).integers(0, 65536, (20, 30)).astype(np.uint16)


def write(path, picture=DEEP):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix, picture)[1].tobytes())
    return path


def test_find_accepts_files_folders_and_globs_and_lists_each_file_once(tmp_path):
    first, second = write(tmp_path / "b.png"), write(tmp_path / "sub dir" / "ä.jpg", (DEEP >> 8).astype(np.uint8))
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / ".hidden.png").write_bytes(b"")
    assert inputs.find([str(tmp_path)]) == [first, second]
    assert inputs.find([str(second), str(tmp_path), str(tmp_path / "*.png")]) == [second, first]
    assert inputs.find([str(tmp_path / "**" / "*.jpg")]) == [second]


def test_find_recognises_images_without_a_suffix_and_keeps_damaged_ones(tmp_path):
    dicom = dicom_files.write(tmp_path / "1.2.840.1", DEEP)
    empty = tmp_path / "z.png"
    empty.touch()
    dicom_files.write(tmp_path / "DICOMDIR", DEEP)
    assert inputs.find([str(tmp_path)]) == [dicom, empty]


def test_find_accepts_a_file_whose_name_looks_like_a_glob(tmp_path):
    file = write(tmp_path / "a[1].png")
    write(tmp_path / "a1.png")
    assert inputs.find([str(file)]) == [file]


def test_find_reports_which_input_is_empty(tmp_path):
    with pytest.raises(UserError, match="no such file, folder or match: .*nothing.png"):
        inputs.find([str(tmp_path / "nothing.png")])
    with pytest.raises(UserError, match="contains no PNG, JPEG, TIFF, BMP, PGM or DICOM file"):
        inputs.find([str(tmp_path)])


def test_names_are_short_and_unique(tmp_path):
    files = [tmp_path / name for name in
             ("x/1-1.dcm", "y/1-1.dcm", "y/other.png", "y/A.png", "z/a.jpg", "q/b.png", "q/b.jpg", "1.2.3", "1.2.4")]
    names = inputs.names(files)
    assert names == ["x_1-1", "y_1-1", "other", "y_A", "z_a", "q_b", "q_b_2", "1.2.3", "1.2.4"]
    assert inputs.names([tmp_path / "a.png"]) == ["a"]


@pytest.mark.parametrize("pattern", ["p{:04}/1-1.dcm", "{:04}.png"])
def test_names_of_thousands_of_files_are_quick(tmp_path, pattern):
    files = [tmp_path / pattern.format(number) for number in range(3000)]
    started = time.process_time()
    names = inputs.names(files)
    assert time.process_time() - started < 1
    assert len(set(names)) == 3000 and names[7] == ("p0007_1-1" if "dcm" in pattern else "0007")


def test_names_fit_the_limits_of_file_systems(tmp_path):
    deep = [tmp_path / ("ß" * 90) / ("long" * 20) / side / "1-1.dcm" for side in "ab"]
    names = inputs.names(deep)
    assert len(set(names)) == 2 and all(len(name.encode()) <= inputs.LONGEST_NAME for name in names)


def test_png_and_jpeg_are_sent_unchanged(tmp_path):
    for path in (write(tmp_path / "a.png"), write(tmp_path / "b.jpg", (DEEP >> 8).astype(np.uint8))):
        picture = inputs.read(path)
        assert picture.encoded == path.read_bytes() and picture.pixels.shape == DEEP.shape
        assert np.isnan(picture.spacing_mm)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_tiff_is_sent_as_png_with_full_depth(tmp_path, dtype):
    pixels = (DEEP >> (16 - 8 * np.dtype(dtype).itemsize)).astype(dtype)
    Image.fromarray(pixels).save(tmp_path / "a.tif")
    picture = inputs.read(tmp_path / "a.tif")
    np.testing.assert_array_equal(picture.pixels, pixels)
    sent = cv2.imdecode(np.frombuffer(picture.encoded, np.uint8), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(sent, pixels)
    assert sent.dtype == dtype


def pgm(pixels, largest, plain=False):
    """Write PGM as a text (P2), or binary (P5) with 16 bits as big-endian numbers."""
    words = " ".join(map(str, pixels.ravel())).encode() if plain else pixels.astype(
        ">u2" if largest > 255 else "u1").tobytes()  # fmt: skip
    return f"P{2 if plain else 5}\n# scanner\n30 20\n{largest}\n".encode() + words


@pytest.mark.parametrize("plain", [True, False])
@pytest.mark.parametrize(("stored", "largest", "expected"), [
    (DEEP, 65535, DEEP), (DEEP >> 8, 255, (DEEP >> 8).astype(np.uint8)),
    (DEEP >> 4, 4095, np.rint((DEEP >> 4) * (65535 / 4095)).astype(np.uint16))])  # fmt: skip
def test_pgm_is_sent_as_png_over_its_range(tmp_path, stored, largest, expected, plain):
    (tmp_path / "film").write_bytes(pgm(stored, largest, plain))
    assert inputs.find([str(tmp_path)]) == [tmp_path / "film"] and inputs.kind(tmp_path / "film") == "PGM"
    picture = inputs.read(tmp_path / "film")
    sent = cv2.imdecode(np.frombuffer(picture.encoded, np.uint8), cv2.IMREAD_UNCHANGED)
    for pixels in (picture.pixels, sent):
        np.testing.assert_array_equal(pixels, expected)
        assert pixels.dtype == expected.dtype


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB"])
def test_bmp_is_sent_as_png(tmp_path, mode):
    image = Image.fromarray((DEEP >> 8).astype(np.uint8)).convert(mode)
    image.save(tmp_path / "a.bmp")
    (tmp_path / "a.bmp").rename(tmp_path / "film")
    assert inputs.find([str(tmp_path)]) == [tmp_path / "film"] and inputs.kind(tmp_path / "film") == "BMP"
    picture = inputs.read(tmp_path / "film")
    np.testing.assert_array_equal(picture.pixels, np.asarray(image.convert("L")))
    assert picture.encoded.startswith(b"\x89PNG")


def test_texts_that_begin_like_an_image_are_none(tmp_path):
    for number, text in enumerate(("BMI,age\n22,50\n" * 9, "P2,benign\n", "P5 is lost\n")):
        (tmp_path / str(number)).write_text(text)
        assert inputs.kind(tmp_path / str(number)) == ""


def test_dicom_is_sent_bright_on_dark_with_its_spacing(tmp_path):
    pixels = np.linspace(0, 4095, 600).reshape(20, 30).astype(np.uint16)
    film = dicom_files.write(tmp_path / "film", pixels, PhotometricInterpretation="MONOCHROME1",
                             SOPClassUID=dicom_files.MAMMOGRAPHY, ImagerPixelSpacing=[0.1, 0.1])  # fmt: skip
    picture = inputs.read(film)
    assert picture.spacing_mm == pytest.approx(0.1)
    sent = cv2.imdecode(np.frombuffer(picture.encoded, np.uint8), cv2.IMREAD_UNCHANGED)
    assert sent[0, 0] == 65535 and sent[-1, -1] == 0 and np.all(np.diff(sent.ravel().astype(int)) <= 0)


def test_files_that_cannot_be_read_completely_are_rejected(tmp_path):
    text = tmp_path / "a.png"
    text.write_text("no image")
    with pytest.raises(UserError, match="not a PNG, JPEG, TIFF, BMP, PGM or DICOM file"):
        inputs.read(text)
    half = write(tmp_path / "half.png")
    half.write_bytes(half.read_bytes()[:200])
    with pytest.raises(UserError, match="truncated"):
        inputs.read(half)
    page = Image.fromarray(DEEP)
    page.save(tmp_path / "pages.tif", save_all=True, append_images=[page])
    with pytest.raises(UserError, match="one page. Received: 2 pages"):
        inputs.read(tmp_path / "pages.tif")


def test_links_are_followed_once_and_dangling_ones_reported_by_name(tmp_path):
    here, there = write(tmp_path / "study" / "a.png"), write(tmp_path / "store" / "b.png")
    (tmp_path / "study" / "p2").symlink_to(tmp_path / "store")
    (tmp_path / "study" / "round").symlink_to(tmp_path / "study")
    for name in ("gone.png", "gone"):
        (tmp_path / "study" / name).symlink_to(tmp_path / f"no {name}")
    found = inputs.find([str(tmp_path / "study")])
    assert {file.name for file in found} == {"a.png", "b.png", "gone.png", "gone"} and here in found
    assert there.resolve() in [file.resolve() for file in found]
    for given in (tmp_path / "study" / "gone.png", tmp_path / "study" / "gone"):
        with pytest.raises(UserError, match="cannot be opened"):
            inputs.read(given)
        assert inputs.find([str(given)]) == [given]


def test_objects_without_an_image_are_skipped_and_counted(tmp_path):
    film = dicom_files.write(tmp_path / "images" / "im1", DEEP)
    for name, kind in (("images/sr", "5.1.4.1.1.88.50"), ("images/pr.dcm", "5.1.4.1.1.11.1"), ("dicomdir", "1.3.10"),
                       ("index", "1.3.10")):  # fmt: skip
        made = dicom_files.dataset(DEEP, SOPClassUID=f"1.2.840.10008.{kind}")
        del made.PixelData
        made.save_as(tmp_path / name, enforce_file_format=True)
    passed = Counter()
    assert inputs.find([str(tmp_path)], passed) == [film]
    assert passed == {"Mammography CAD SR Storage": 1, "Grayscale Softcopy Presentation State Storage": 1,
                      "Media Storage Directory Storage": 1}  # fmt: skip
    with pytest.raises(UserError, match="its SOP class is Mammography CAD SR Storage"):
        inputs.read(tmp_path / "images" / "sr")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_constant_images_are_rejected(tmp_path, dtype, suffix):
    Image.fromarray(np.full((30, 30), 77, dtype)).save(tmp_path / f"a.{suffix}")
    with pytest.raises(UserError, match="a single grey value .77"):
        inputs.read(tmp_path / f"a.{suffix}")


def test_rotated_transparent_and_inverted_images_are_sent_as_displayed(tmp_path):
    grey = (DEEP >> 8).astype(np.uint8)
    exif = Image.Exif()
    exif[0x112] = 6
    Image.fromarray(grey).save(tmp_path / "turned.png", exif=exif)
    half = np.where(np.arange(30) < 15, 255, 0).astype(np.uint8) + 0 * grey
    Image.fromarray(np.dstack([grey, half])).save(tmp_path / "clear.png")
    film = np.full((600, 500), 250, np.uint8)
    film[100:500, :250] = np.random.default_rng(0).integers(60, 130, (400, 250))
    Image.fromarray(film).save(tmp_path / "negative.png")
    expected = {"turned": np.rot90(grey, -1), "clear": np.where(half, grey, 0),
                "negative": film.max() - film}  # fmt: skip
    for name, pixels in expected.items():
        picture = inputs.read(tmp_path / f"{name}.png")
        sent = cv2.imdecode(np.frombuffer(picture.encoded, np.uint8), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(sent, pixels)
        np.testing.assert_array_equal(picture.pixels, pixels)
    assert "inverted" in inputs.read(tmp_path / "negative.png").notes[0]
    as_it_is = inputs.read(tmp_path / "negative.png", film=False)
    np.testing.assert_array_equal(as_it_is.pixels, film)
    assert "negative?" in as_it_is.notes[0]


def test_the_context_of_a_crop_file_of_cbis_ddsm_is_known_by_its_header(tmp_path):
    named = {"cropped images": 1.35, "full mammogram images": None, "Cropped Images": 1.35, "": None}
    for number, (description, context) in enumerate(named.items()):
        file = dicom_files.write(tmp_path / f"{number}.dcm", DEEP, SeriesDescription=description)
        assert inputs.read(file).context == context
        assert inputs.read(file, cleaned=True).context == context
    assert inputs.read(write(tmp_path / "a.png")).context is None
