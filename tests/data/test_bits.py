import numpy as np
import pytest
from pydicom.dataset import Dataset

from tfrespam.data.dicom.bits import padding_of, padding_within, stored_bits


def header(**elements):
    dataset = Dataset()
    for name, value in elements.items():
        setattr(dataset, name, value)
    return dataset


def smooth():
    return np.add.outer(np.arange(8), np.arange(8)).astype(np.uint16) * 100


def test_words_that_use_all_bits_are_unchanged():
    words = smooth()
    found, notes = stored_bits(header(BitsStored=16, HighBit=15), words, None)
    assert found is words and not notes


def test_pixels_in_the_upper_bits_are_shifted_down():
    words = smooth() << 4
    found, notes = stored_bits(header(BitsStored=12, HighBit=15), words, None)
    np.testing.assert_array_equal(found, smooth())
    assert not notes


def test_inconsistent_high_bit_is_reported():
    found, notes = stored_bits(header(BitsStored=12, HighBit=15), smooth() + 1, None)
    np.testing.assert_array_equal(found, smooth() + 1)
    assert notes == ["High Bit is 15, but the values are in the lowest 12 bits"]


def test_overlay_bits_are_removed():
    words = smooth() | np.uint16(0x8000)
    dataset = header(BitsStored=12, HighBit=11)
    dataset.add_new(0x60000102, "US", 15)  # Overlay Bit Position
    found, _ = stored_bits(dataset, words, None)
    np.testing.assert_array_equal(found, smooth())


def test_bits_stored_smaller_than_the_values_is_ignored():
    words = np.tile(np.arange(81, dtype=np.uint16) * 100, (8, 1))
    found, notes = stored_bits(header(BitsStored=12, HighBit=11), words, None)
    assert found is words and notes == ["Bits Stored is 12, but higher bits are part of the values: all bits are read"]


@pytest.mark.parametrize(("elements", "told"), [({}, "absent: 16"), ({"BitsStored": 20}, "20: 16")])
def test_impossible_bits_stored_is_reported(elements, told):
    assert told in stored_bits(header(**elements), smooth(), None)[1][0]


def test_padding_is_located_by_the_header():
    words = np.array([[0, 5], [9, 7]], np.uint16)
    np.testing.assert_array_equal(padding_of(header(PixelPaddingValue=0), words), words == 0)
    found = padding_of(header(PixelPaddingValue=0, PixelPaddingRangeLimit=5), words)
    np.testing.assert_array_equal(found, words <= 5)
    assert padding_of(header(), words) is None and padding_of(header(PixelPaddingValue=1), words) is None
    np.testing.assert_array_equal(padding_within(header(PixelPaddingValue=0, BitsStored=12, HighBit=11), words),
                                  words == 0)  # fmt: skip


def test_padding_is_compared_as_bits_regardless_of_sign():
    words = np.array([[-2000, 5], [9, 7]], np.int16)
    dataset = header(PixelPaddingValue=65536 - 2000)
    np.testing.assert_array_equal(padding_of(dataset, words), words == -2000)
