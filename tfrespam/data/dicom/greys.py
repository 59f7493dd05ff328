"""Convert stored values of a mammogram to grey values, bright = dense (PS3.4 N.2).

Pixel padding is separated first; then the Modality LUT is applied, the VOI LUT if the image is meant for display with
it, and MONOCHROME1 is inverted last. docs/reference/inputs.md states the decisions that the standard leaves open.
"""

import dataclasses

import numpy as np
from pydicom.dataset import Dataset

from tfrespam.core.errors import UserError
from tfrespam.data.dicom.bits import padding_of, padding_within, stored_bits
from tfrespam.data.dicom.header import SECONDARY_CAPTURES
from tfrespam.data.dicom.values import word
from tfrespam.data.dicom.voi import modality, presented

# Digital X-ray, Digital Mammography, Breast Projection X-ray: detector values, without a defined display
FOR_PROCESSING = tuple(f"1.2.840.10008.5.1.4.1.1.{kind}" for kind in ("1.1.1", "1.2.1", "1.3.1", "13.1.5"))


@dataclasses.dataclass(frozen=True)
class Greys:
    """An image as displayed, and assumptions about it."""

    pixels: np.ndarray  # (H, W) uint16 over the full range, bright = dense; padding is 0
    notes: tuple[str, ...] = ()


def displayed(dataset: Dataset, words: np.ndarray, encapsulated: bool = False) -> Greys:
    """Convert decoded words (H, W) to greys. Raises UserError for a constant image or one that is not for display.

    All steps are combined in one look-up table, so that a 5000 x 3000 film is never converted to floats.

    Args:
        dataset: The header, with merged functional groups.
        words: 8 or 16 bits, signed or unsigned.
        encapsulated: Whether the words are from a decoder of compressed pixels, which removes other bits.
    """
    _refuse_raw(dataset)
    padding, notes, stored = padding_of(dataset, words), [], words
    if not encapsulated:
        stored, notes = stored_bits(dataset, words, padding)
    if padding is None:
        padding = padding_within(dataset, stored)
    inside = stored if padding is None else stored[~padding]
    low, high = int(inside.min()), int(inside.max())
    values = _values(dataset, np.arange(low, high + 1), notes)
    if np.any(np.diff(values) > 0) and np.any(np.diff(values) < 0):  # not monotonic: intermediate greys need not occur
        values = _occupied(values, inside, low)
    shown = _look_up(_full_range(values), stored, low)
    if padding is not None:
        shown[padding] = 0
    return Greys(shown, tuple(notes))


def stretch(pixels: np.ndarray) -> np.ndarray:
    """Scale integers of at most 16 bits linearly to uint16, smallest 0, largest 65535. Raises UserError if constant."""
    low, high = int(pixels.min()), int(pixels.max())
    return _look_up(_full_range(np.arange(low, high + 1, dtype=np.float64)), pixels, low)


def _refuse_raw(dataset: Dataset) -> None:
    """Reject FOR PROCESSING images, which are not for display (PS3.3 C.8.11.1.1.1) and have other grey values."""
    if word(dataset, "SOPClassUID") in FOR_PROCESSING or word(dataset, "PresentationIntentType") == "FOR PROCESSING":
        raise UserError("the image contains raw detector values (FOR PROCESSING), for which DICOM defines no display. "
                        "Use the FOR PRESENTATION image of the same exposure")  # fmt: skip


def _values(dataset: Dataset, stored: np.ndarray, notes: list[str]) -> np.ndarray:
    """Convert stored values to greys of any range, bright = dense, float64."""
    values = modality(dataset, stored.astype(np.float64), notes)
    if _is_for_presentation(dataset):
        values = presented(dataset, values, notes)
    negative = word(dataset, "PhotometricInterpretation") == "MONOCHROME1"
    shape = word(dataset, "PresentationLUTShape")
    if shape in ("IDENTITY", "INVERSE") and (shape == "INVERSE") != negative:  # they must agree by PS3.3 C.8.11.3
        notes.append("Presentation LUT Shape and Photometric Interpretation differ: the latter is used")
    return -values if negative else values


def _is_for_presentation(dataset: Dataset) -> bool:
    """Return whether the window applies; windows of scanned films and of files without a class are meaningless.

    It applies to digital objects of every other class: mammograms, and computed and digital radiographs of the breast.
    """
    if word(dataset, "PresentationIntentType") == "FOR PRESENTATION":
        return True
    kind = word(dataset, "SOPClassUID")
    return bool(kind) and kind not in SECONDARY_CAPTURES


def _occupied(values: np.ndarray, inside: np.ndarray, low: int) -> np.ndarray:
    """Set the entries of a look-up table that no pixel uses to a used one, so that they do not affect the range."""
    found = np.unique(inside).astype(np.int64) - low
    kept = np.full_like(values, values[found[0]])
    kept[found] = values[found]
    return kept


def _full_range(values: np.ndarray) -> np.ndarray:
    low, high = float(values.min()), float(values.max())
    if not high > low:
        raise UserError(f"the image has a single grey value ({abs(low):g})")
    return np.rint((values - low) * (65535 / (high - low))).astype(np.uint16)


def _look_up(table: np.ndarray, pixels: np.ndarray, low: int) -> np.ndarray:
    """Look up `table`[k] for each pixel of the value `low` + k, 0 for pixels outside."""
    unsigned, bits = np.dtype(f"u{pixels.dtype.itemsize}"), 8 * pixels.dtype.itemsize
    whole = np.zeros(1 << bits, np.uint16)
    whole[np.arange(low, low + len(table)) & ((1 << bits) - 1)] = table
    return whole[pixels.view(unsigned)]
