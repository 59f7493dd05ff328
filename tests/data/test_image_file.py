import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from tfrespam.core.errors import UserError
from tfrespam.data.readers.image_file import grey, read_grey, read_image

GREY = np.random.default_rng(0).integers(0, 256, (20, 30)).astype(np.uint8)


@pytest.mark.parametrize("suffix", ["png", "tif", "bmp"])
def test_eight_bit_images_are_read_as_stored(tmp_path, suffix):
    Image.fromarray(GREY).save(tmp_path / f"a.{suffix}")
    np.testing.assert_array_equal(read_grey(tmp_path / f"a.{suffix}"), GREY)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bit_images_are_read_as_stored(tmp_path, suffix):
    deep = GREY.astype(np.uint16) * 257
    Image.fromarray(deep).save(tmp_path / f"a.{suffix}")
    read = read_grey((tmp_path / f"a.{suffix}").read_bytes())
    assert read.dtype == np.uint16
    np.testing.assert_array_equal(read, deep)


def test_one_bit_and_colour_images_become_grayscale(tmp_path):
    Image.fromarray(GREY > 100).save(tmp_path / "bit.png")
    np.testing.assert_array_equal(read_grey(tmp_path / "bit.png"), (GREY > 100) * 255)
    Image.fromarray(np.stack([GREY] * 3, axis=2)).save(tmp_path / "colour.png")
    np.testing.assert_array_equal(read_grey(tmp_path / "colour.png"), GREY)


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif"])
def test_a_truncated_image_is_rejected(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(GREY).save(path)
    with pytest.raises(UserError, match="truncated"):
        read_grey(path.read_bytes()[: path.stat().st_size * 2 // 3])


def test_an_excessive_size_is_rejected_before_decoding(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(GREY).save(path)
    content = bytearray(path.read_bytes())
    content[16:24] = (60000).to_bytes(4, "big") * 2
    with pytest.raises(UserError):
        read_grey(bytes(content))


def test_other_files_are_refused(tmp_path):
    (tmp_path / "a.png").write_text("nothing")
    Image.fromarray(GREY.astype(np.float32)).save(tmp_path / "a.tif")
    for path in (tmp_path / "a.png", tmp_path / "a.tif", tmp_path / "none.png", tmp_path):
        with pytest.raises(UserError):
            read_grey(path)


def png(path, channels, bits=16):
    """Write a PNG with any number of channels; Pillow cannot write 16-bit colour."""
    array = np.dstack(channels)
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[array.shape[2]]
    lines = b"".join(b"\0" + row.astype(">u2" if bits == 16 else "u1").tobytes() for row in array)
    chunks = ((b"IHDR", struct.pack(">IIBBBBB", *array.shape[1::-1], bits, kind, 0, 0, 0)),
              (b"IDAT", zlib.compress(lines)), (b"IEND", b""))  # fmt: skip
    written = (struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
               for name, data in chunks)  # fmt: skip
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(written))
    return path


def tiff(path, array, photometric=1, big=False, order="<", pages=1, reduced=False):
    """Write an uncompressed grayscale TIFF or BigTIFF according to the specification."""
    data, (h, w), bits = array.astype(array.dtype.newbyteorder(order)).tobytes(), array.shape, 8 * array.itemsize
    head, count, value, offset = (16, "Q", "Q", 20) if big else (8, "H", "I", 12)
    entry = struct.calcsize("=HH") + 2 * struct.calcsize(f"={value}")
    body = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}H", 43 if big else 42)
    first = head + len(data)
    body += struct.pack(f"{order}HHQ", 8, 0, first) if big else struct.pack(f"{order}I", first)
    body, here = body + data, first
    for page in range(pages):
        tags = [(254, 4, int(reduced and page > 0)), (256, 4, w), (257, 4, h), (258, 3, bits), (259, 3, 1),
                (262, 3, photometric), (273, 4, head), (277, 3, 1), (278, 4, h), (279, 4, len(data))]  # fmt: skip
        here += struct.calcsize(f"={count}") + entry * len(tags) + struct.calcsize(f"={value}")
        body += struct.pack(f"{order}{count}", len(tags))
        for tag, kind, number in tags:
            packed = struct.pack(order + {3: "H", 4: "I"}[kind], number).ljust(struct.calcsize(f"={value}"), b"\0")
            body += struct.pack(f"{order}HH{value}", tag, kind, 1) + packed
        body += struct.pack(f"{order}{value}", here if page + 1 < pages else 0)
    path.write_bytes(body)
    return path


DEEP = np.random.default_rng(1).integers(0, 65536, (20, 30)).astype(np.uint16)
FULL, HALF = np.full_like(DEEP, 65535), np.where(np.arange(30) < 15, 65535, 0).astype(np.uint16) + 0 * DEEP


@pytest.mark.parametrize("channels", [[DEEP], [DEEP, FULL], [DEEP] * 3, [DEEP] * 3 + [FULL]])
def test_sixteen_bit_grey_in_any_number_of_channels_keeps_its_depth(tmp_path, channels):
    image = read_image(png(tmp_path / "a.png", channels))
    assert image.alpha is None and image.plain == (len(channels) == 1)
    np.testing.assert_array_equal(grey(image), DEEP)


def test_sixteen_bit_colour_becomes_luminance(tmp_path):
    read = read_grey(png(tmp_path / "a.png", [DEEP, DEEP // 2, DEEP // 3]).read_bytes())
    expected = 0.299 * DEEP + 0.587 * (DEEP // 2) + 0.114 * (DEEP // 3)
    assert read.dtype == np.uint16 and np.abs(read - expected).max() <= 1


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("count", [1, 3])
def test_transparent_pixels_become_black(tmp_path, bits, count):
    levels, alpha = (array >> (16 - bits) for array in (DEEP, HALF))
    image = read_image(png(tmp_path / "a.png", [levels] * count + [alpha], bits))
    assert not image.plain
    np.testing.assert_array_equal(grey(image), np.where(alpha > 0, levels, 0))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("order", "<>")
def test_tiff_and_bigtiff_are_read_in_both_photometric_senses(tmp_path, dtype, big, order):
    array = (DEEP >> (16 - 8 * np.dtype(dtype).itemsize)).astype(dtype)
    for name, stored, photometric in (("a.tif", array, 1), ("b.tif", ~array, 0)):
        path = tiff(tmp_path / name, stored, photometric, big, order)
        if order == ">" and (big or (photometric == 0 and dtype is np.uint16)):  # which Pillow does not read
            with pytest.raises(UserError, match="unsupported type.*save it as"):
                read_grey(path)
        else:
            np.testing.assert_array_equal(read_grey(path), array)


def test_several_pages_are_rejected_but_reduced_copies_are_allowed(tmp_path):
    with pytest.raises(UserError, match="one page. Received: 2 pages"):
        read_grey(tiff(tmp_path / "a.tif", DEEP, pages=2))
    np.testing.assert_array_equal(read_grey(tiff(tmp_path / "b.tif", DEEP, pages=3, reduced=True)), DEEP)


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif"])
@pytest.mark.parametrize(("orientation", "stored"), [
    (1, lambda a: a), (2, np.fliplr), (3, lambda a: np.rot90(a, 2)), (4, np.flipud), (5, np.transpose),
    (6, lambda a: np.rot90(a, 1)), (7, lambda a: np.rot90(a.T, 2)), (8, lambda a: np.rot90(a, -1)), (9, lambda a: a)])
def test_exif_orientation_is_applied(tmp_path, suffix, orientation, stored):
    upright = np.kron(GREY[:4, :6] // 2, np.ones((16, 16), np.uint8))
    exif = Image.Exif()
    exif[0x112] = orientation
    options = {"quality": 100} if suffix == "jpg" else {}
    Image.fromarray(np.ascontiguousarray(stored(upright))).save(tmp_path / f"a.{suffix}", exif=exif, **options)
    if suffix == "tif" and 5 <= orientation <= 8:  # which Pillow would garble
        with pytest.raises(UserError, match=f"Orientation {orientation}.*upright"):
            read_image(tmp_path / "a.tif")
        return
    image = read_image(tmp_path / f"a.{suffix}")
    assert image.levels.shape == upright.shape and image.plain == (orientation in (1, 9))
    assert np.abs(grey(image).astype(int) - upright).max() <= 3


def test_rotated_16_bit_colour_is_rejected(tmp_path):
    path = tmp_path / "a.tif"
    cv2.imwrite(str(path), np.dstack([DEEP] * 3))
    data = bytearray(path.read_bytes())
    at = data.index(struct.pack("<HHI", 284, 3, 1))  # the planes' order, which is the usual one without the tag
    data[at : at + 12] = struct.pack("<HHIHH", 274, 3, 1, 3, 0)
    with pytest.raises(UserError, match="Orientation 3"):
        read_grey(bytes(data))
