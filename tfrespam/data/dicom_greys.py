"""Stored values of a mammogram to greys for display or for a network: PS3.4 N.2, bright = dense.

Modality LUT, then VOI LUT where the picture is meant to be seen through it, and MONOCHROME1 inverted last of all.
"""

import numpy as np
from pydicom.dataset import Dataset
from pydicom.pixels import apply_modality_lut, apply_voi_lut

from tfrespam.errors import UserError

DIGITAL_MAMMOGRAPHY_FOR_PRESENTATION = "1.2.840.10008.5.1.4.1.1.1.2"


def displayed(dataset: Dataset, stored: np.ndarray) -> np.ndarray:
    """Stored values (H, W) to uint16 over the full range; padding becomes black.

    One look-up table does it all, so that a 5000 x 3000 film never becomes floats.
    """
    padding = _padding(dataset, stored)
    inside = stored if padding is None else stored[~padding]
    low, high = inside.min(), inside.max()
    values = apply_modality_lut(np.arange(int(low), int(high) + 1), dataset)
    # Digitised film has no meaningful window; a for-presentation picture is meant to be seen through its own.
    if dataset.get("SOPClassUID") == DIGITAL_MAMMOGRAPHY_FOR_PRESENTATION:
        values = _windowed(values, dataset)
    if str(dataset.PhotometricInterpretation) == "MONOCHROME1":
        values = -values.astype(np.float64)
    if padding is None:
        return _look_up(_full_range(values), stored)
    shown = _look_up(_full_range(values), np.clip(stored, low, high))
    shown[padding] = 0
    return shown


def stretch(pixels: np.ndarray) -> np.ndarray:
    """Integers of at most 16 bits, scaled linearly to uint16: smallest 0, largest 65535; UserError when constant."""
    return _look_up(_full_range(np.arange(int(pixels.min()), int(pixels.max()) + 1)), pixels)


def stored_bits(dataset: Dataset, pixels: np.ndarray) -> np.ndarray:
    """Values without what older files keep in the bits beside them (overlays, burnt into unused bits)."""
    allocated = 8 * pixels.dtype.itemsize
    stored = int(dataset.get("BitsStored") or allocated)
    shift = int(dataset.get("HighBit") or stored - 1) + 1 - stored
    if not 0 < stored < allocated or shift < 0 or shift + stored > allocated:
        return pixels
    left = pixels << (allocated - stored - shift)  # the sign bit to the top
    return left >> (allocated - stored)


def _padding(dataset: Dataset, stored: np.ndarray) -> np.ndarray | None:
    """Where the file says that there is no picture; None when nowhere, or when nothing else would be left."""
    try:
        first = int(dataset.PixelPaddingValue)
        last = int(dataset.get("PixelPaddingRangeLimit", first))
    except (AttributeError, TypeError, ValueError):
        return None
    outside = (stored >= min(first, last)) & (stored <= max(first, last))
    inside = stored[~outside]
    return outside if outside.any() and inside.size and np.ptp(inside) else None


def _windowed(values: np.ndarray, dataset: Dataset) -> np.ndarray:
    whole = values.astype(np.int32) if np.array_equal(values, values.astype(np.int32)) else values
    try:
        shown = apply_voi_lut(whole, dataset)
    except Exception:  # an impossible window (width 0, a short table) says nothing: show all values
        return values
    return shown if np.ptp(shown) else values


def _full_range(values: np.ndarray) -> np.ndarray:
    low, high = float(values.min()), float(values.max())
    if not high > low:
        raise UserError(f"the picture is one constant grey ({low:g})")
    return np.rint((values - low) * (65535 / (high - low))).astype(np.uint16)


def _look_up(table: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """`table`[k] for each pixel that lies k above the smallest one."""
    unsigned = np.dtype(f"u{pixels.dtype.itemsize}")  # wraps around, so the difference is right for signed pixels too
    return table[pixels.view(unsigned) - pixels.min().view(unsigned)]
