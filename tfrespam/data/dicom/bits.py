"""Find the pixel bits of stored words (PS3.5 8.1.1: Bits Stored, High Bit), and the padding.

Both elements are wrong in many files, so they are checked against the words: bits that no word uses do not matter.
"""

import numpy as np
from pydicom.dataset import Dataset

from tfrespam.data.dicom.values import whole

ROWS = 256  # largest number of rows of a film in which the roughness is measured


def stored_bits(dataset: Dataset, words: np.ndarray, padding: np.ndarray | None) -> tuple[np.ndarray, list[str]]:
    """Convert words (H, W) to pixel values of the same type; also return assumptions about wrong headers.

    Other bits than those of the pixel are removed, because older files store overlays there. If neighbouring pixels
    then differ more than before, Bits Stored is wrong, and all bits are used.
    """
    allocated = 8 * words.dtype.itemsize
    stored, shift, notes = _layout(dataset, allocated)
    if stored == allocated:
        return words, notes
    inside = words if padding is None else words[~padding]
    if shift and not np.any(inside & ((1 << shift) - 1)):
        return words >> shift, notes
    if shift and _fits(inside, stored):
        return words, [*notes, f"High Bit is {stored - 1 + shift}, but the values are in the lowest {stored} bits"]
    if not shift and _fits(inside, stored):
        return words, notes
    cut = (words << (allocated - stored - shift)) >> (allocated - stored)  # moves the sign bit to the top and back
    if shift or _has_overlay(dataset):
        return cut, notes
    if 1.2 * _roughness(words, padding) < _roughness(cut, padding):
        return words, [*notes, f"Bits Stored is {stored}, but higher bits are part of the values: all bits are read"]
    return cut, [*notes, f"Bits Stored is {stored}: higher bits, which are used, are ignored"]


def padding_of(dataset: Dataset, words: np.ndarray) -> np.ndarray | None:
    """Find the pixel padding (PS3.3 C.7.5.1.1.2), (H, W) bool, by the words as stored.

    Bits are compared, so that the sign of the written value does not matter. None if no pixel is padding, or all are.
    """
    bounds = _bounds(dataset, words.dtype, 8 * words.dtype.itemsize)
    return None if bounds is None else _between(words, *bounds)


def padding_within(dataset: Dataset, values: np.ndarray) -> np.ndarray | None:
    """Find the padding as `padding_of`, by pixel values: the padding value is reduced to Bits Stored too.

    A padding value that does not fit Bits Stored is used only if its reduced value occurs in a corner.
    """
    allocated = 8 * values.dtype.itemsize
    stored, _, _ = _layout(dataset, allocated)
    bounds, whole_bounds = (_bounds(dataset, values.dtype, bits) for bits in (stored, allocated))
    found = None if bounds is None else _between(values, *bounds)
    if found is None or bounds == whole_bounds:
        return found
    return found if found[[0, 0, -1, -1], [0, -1, 0, -1]].any() else None


def _layout(dataset: Dataset, allocated: int) -> tuple[int, int, list[str]]:
    """Return Bits Stored, the number of bits below the pixel, and notes about impossible values."""
    stored, high = whole(dataset, "BitsStored"), whole(dataset, "HighBit")
    if stored is None or not 0 < stored <= allocated:
        return allocated, 0, [f"Bits Stored is {'absent' if stored is None else stored}: {allocated} is assumed"]
    shift = 0 if high is None else high + 1 - stored
    if shift < 0 or shift + stored > allocated:
        return stored, 0, [f"High Bit is {high}: {stored - 1} is assumed"]
    return stored, shift, []


def _fits(words: np.ndarray, stored: int) -> bool:
    signed = words.dtype.kind == "i"
    low, high = (-(1 << stored - 1), (1 << stored - 1) - 1) if signed else (0, (1 << stored) - 1)
    return not words.size or bool(words.max() <= high and (not signed or words.min() >= low))


def _has_overlay(dataset: Dataset) -> bool:
    """Return whether the header declares an overlay in the unused bits."""
    elements = (dataset.get((group, 0x0102)) for group in range(0x6000, 0x6020, 2))
    return any(element is not None and str(element.value or 0) != "0" for element in elements)


def _roughness(values: np.ndarray, padding: np.ndarray | None) -> float:
    """Compute the mean difference of neighbouring pixels in some rows, without padding."""
    every = max(values.shape[0] // ROWS, 1)
    steps = np.abs(np.diff(values[::every].astype(np.int32), axis=1))
    if padding is not None:
        inside = ~padding[::every]
        steps = steps[inside[:, 1:] & inside[:, :-1]]
    return float(steps.mean()) if steps.size else 0.0


def _bounds(dataset: Dataset, dtype: np.dtype, bits: int) -> tuple[int, int] | None:
    """Return Pixel Padding Value and Range Limit as `bits` bits of `dtype`; None without a value."""
    found = [_word(dataset, name) for name in ("PixelPaddingValue", "PixelPaddingRangeLimit")]
    if found[0] is None:
        return None
    cut = [value & ((1 << bits) - 1) for value in found if value is not None]
    if dtype.kind == "i":
        cut = [value - (1 << bits) if value >> bits - 1 else value for value in cut]
    return min(cut), max(cut)


def _word(dataset: Dataset, keyword: str) -> int | None:
    """Return a value of 16 bits, whatever its VR."""
    try:
        value = dataset.get(keyword)
    except Exception:  # pydicom raises errors of many types for a value that does not fit its VR
        return None
    if isinstance(value, bytes):
        return int.from_bytes(value[:2], "little") if len(value) >= 2 else None
    return whole(dataset, keyword)


def _between(values: np.ndarray, low: int, high: int) -> np.ndarray | None:
    outside = values == low if low == high else (values >= low) & (values <= high)
    if not outside.any():
        return None
    inside = values[~outside]
    return outside if inside.size and np.ptp(inside) else None
