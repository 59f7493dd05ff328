import io
import resource
import struct
import zlib

import cv2
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfrespam.serving.graph import codecs

RANDOM = np.random.default_rng(0)
DEEP = RANDOM.integers(0, 65536, (20, 30)).astype(np.uint16)
FLAT = RANDOM.integers(0, 256, (20, 30)).astype(np.uint8)

IN_GRAPH = tf.function(codecs.decode)


def encode(picture: np.ndarray, suffix: str = ".png") -> bytes:
    return cv2.imencode(suffix, picture)[1].tobytes()


def decode(data: bytes, max_pixels: int = 1000) -> tuple[np.ndarray, int]:
    picture, state = IN_GRAPH(tf.constant(data), max_pixels)
    return picture.numpy()[..., 0], int(state)


def test_png_keeps_all_16_bits():
    picture, state = decode(encode(DEEP))
    assert state == codecs.READABLE
    np.testing.assert_array_equal(picture, DEEP.astype(np.float32) / np.float32(65535))


def test_eight_bit_greys_are_read_on_the_same_scale():
    np.testing.assert_array_equal(decode(encode(FLAT))[0], FLAT.astype(np.float32) / np.float32(255))


def test_grey_stored_as_rgb_or_palette_is_read():
    buffer = io.BytesIO()
    Image.fromarray(FLAT).convert("P").save(buffer, "PNG")
    for data in (encode(cv2.merge([FLAT] * 3)), buffer.getvalue()):
        np.testing.assert_array_equal(decode(data)[0], FLAT.astype(np.float32) / np.float32(255))


def png(picture: Image.Image, **options) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", **options)
    return buffer.getvalue()


def raw_png(picture: np.ndarray, colour_type: int, lines: bytes, interlaced: bool = False, extra: bytes = b"") -> bytes:
    """Make a PNG from filtered `lines`, for kinds that no library writes."""
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width = picture.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, 8 * picture.itemsize, colour_type, 0, 0, interlaced)
    return (codecs.PNG_SIGNATURE + chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(lines))
            + chunk(b"IEND", b""))  # fmt: skip


def lines_of(picture: np.ndarray) -> bytes:
    big_endian = picture.astype(picture.dtype.newbyteorder(">"))
    return b"".join(b"\0" + row.tobytes() for row in big_endian)


def adam7(picture: np.ndarray) -> bytes:
    passes = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
    return b"".join(lines_of(picture[y::dy, x::dx]) for y, x, dy, dx in passes)


GREY = Image.fromarray(FLAT)
TRANSPARENT = Image.fromarray(255 - FLAT)
KINDS_OF_8_BIT = {
    "grey with alpha": png(Image.merge("LA", [GREY, TRANSPARENT])),
    "RGB with alpha": png(Image.merge("RGBA", [GREY, GREY, GREY, TRANSPARENT])),
    "palette with a transparent colour": png(GREY.convert("P"), transparency=3),
    "interlaced": raw_png(FLAT, 0, adam7(FLAT), interlaced=True),
}  # fmt: skip
KINDS_OF_16_BIT = {
    "RGB": raw_png(DEEP, 2, lines_of(np.stack([DEEP] * 3, axis=-1))),
    "grey with alpha": raw_png(DEEP, 4, lines_of(np.stack([DEEP, DEEP[::-1]], axis=-1))),
    "RGB with alpha": raw_png(DEEP, 6, lines_of(np.stack([*[DEEP] * 3, DEEP[::-1]], axis=-1))),
    "interlaced": raw_png(DEEP, 0, adam7(DEEP), interlaced=True),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS_OF_8_BIT)
def test_every_kind_of_8_bit_png_is_read(kind):
    np.testing.assert_allclose(decode(KINDS_OF_8_BIT[kind])[0], FLAT / 255, atol=1e-7)


@pytest.mark.parametrize("kind", KINDS_OF_16_BIT)
def test_every_kind_of_16_bit_png_is_read(kind):
    np.testing.assert_allclose(decode(KINDS_OF_16_BIT[kind])[0], DEEP / 65535, atol=1e-7)


@pytest.mark.parametrize("colours", [2, 4, 16])
def test_png_with_less_than_8_bits_is_read(colours):
    few = GREY.quantize(colours)
    data = png(few, bits=colours.bit_length() - 1)
    np.testing.assert_allclose(decode(data)[0], np.asarray(few.convert("L")) / 255, atol=1e-7)
    black_and_white = png(GREY.point(lambda value: 255 * (value > 127)).convert("1"))
    np.testing.assert_array_equal(decode(black_and_white)[0], FLAT > 127)


def test_a_cmyk_jpeg_is_refused():
    buffer = io.BytesIO()
    Image.merge("CMYK", [GREY] * 4).save(buffer, "JPEG")
    assert decode(buffer.getvalue())[1] == codecs.UNREADABLE


@pytest.mark.parametrize("kind", [b"zTXt", b"iCCP"])
def test_a_compressed_text_chunk_is_not_decompressed(kind):
    packed = b"x\0\0" + zlib.compress(bytes(200_000_000), 9)
    extra = struct.pack(">I", len(packed)) + kind + packed + struct.pack(">I", zlib.crc32(kind + packed))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    picture, state = decode(raw_png(FLAT, 0, lines_of(FLAT), extra=extra))
    assert state == codecs.READABLE and picture.shape == FLAT.shape
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB


def test_the_side_length_is_limited():
    thin = encode(np.zeros((1, codecs.MAX_SIDE), np.uint8)), encode(np.zeros((1, codecs.MAX_SIDE + 1), np.uint8))
    assert [decode(data, 1 << 26)[1] for data in thin] == [codecs.READABLE, codecs.TOO_LARGE]


def test_colour_becomes_luma():
    colours = np.array([[[0, 0, 255], [0, 255, 0], [255, 0, 0]]], np.uint8)  # OpenCV writes blue, green, red
    np.testing.assert_allclose(decode(encode(colours))[0], [[0.299, 0.587, 0.114]], atol=0.005)


@pytest.mark.parametrize("picture", [FLAT, cv2.merge([FLAT // 4 + 90, FLAT[::-1] // 4 + 90, FLAT // 4 + 90])])
def test_jpeg_is_read_as_by_pillow(picture):
    data = encode(picture, ".jpg")
    expected = np.asarray(Image.open(io.BytesIO(data)).convert("L")) / 255
    np.testing.assert_allclose(decode(data)[0], expected, atol=2.1 / 255)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_images_that_are_too_large_are_not_decoded(suffix):
    data = encode(FLAT, suffix)
    assert decode(data, FLAT.size)[1] == codecs.READABLE
    picture, state = decode(data, FLAT.size - 1)
    assert state == codecs.TOO_LARGE and picture.shape == (1, 1)


def test_size_in_the_header_is_checked_before_memory_is_allocated():
    bomb = bytearray(encode(FLAT))
    bomb[16:24] = (2**31 - 1).to_bytes(4, "big") * 2
    assert decode(bytes(bomb), 1 << 26)[1] == codecs.TOO_LARGE


PNG, JPEG = encode(DEEP), encode(FLAT, ".jpg")
BROKEN = {
    "empty": b"", "text": b"no picture", "PNG header only": PNG[:33], "PNG half": PNG[: len(PNG) // 2],
    "PNG with a wrong byte": PNG[:60] + bytes([PNG[60] ^ 255]) + PNG[61:], "JPEG start": JPEG[:3],
    "JPEG half": JPEG[: len(JPEG) // 2], "BMP": encode(FLAT, ".bmp"), "TIFF": encode(DEEP, ".tiff"),
    "PNG of size 0": PNG[:16] + bytes(8) + PNG[24:], "PNG of negative size": PNG[:16] + b"\xff" * 8 + PNG[24:],
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_are_reported_as_unreadable(name):
    picture, state = decode(BROKEN[name])
    assert state == codecs.UNREADABLE
    np.testing.assert_array_equal(picture, [[0]])


def test_written_masks_and_probabilities_can_be_read_back():
    mask = FLAT > 127
    written = cv2.imdecode(np.frombuffer(codecs.encode_mask(mask[..., None]).numpy(), np.uint8), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(written, np.where(mask, 255, 0))
    assert written.dtype == np.uint8
    probability = tf.constant([[[0.0], [0.5], [1.0], [1 / 3]]])
    data = np.frombuffer(codecs.encode_probability(probability).numpy(), np.uint8)
    written = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(written, np.array([[0, 32768, 65535, 21845]], np.uint16))
