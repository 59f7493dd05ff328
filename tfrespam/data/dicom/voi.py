"""Apply look-up tables and windows of a DICOM header: Modality LUT (PS3.3 C.11.1) and VOI LUT (PS3.3 C.11.2).

pydicom is not used here, because it inverts a window if Rescale Slope is negative, reads 8-bit tables as 16-bit ones,
and ignores unknown values silently.
"""

import dataclasses

import numpy as np
from pydicom.dataset import Dataset

from tfrespam.data.dicom.values import number, numbers, word

FUNCTIONS = ("LINEAR", "LINEAR_EXACT", "SIGMOID")


@dataclasses.dataclass(frozen=True)
class Table:
    """Look-up table: `entries`[k] is the output for the input `first` + k; inputs outside have that of the end."""

    first: int
    entries: np.ndarray

    def __call__(self, values: np.ndarray) -> np.ndarray:
        places = np.rint(values).astype(np.int64) - self._first_for(values)
        return self.entries[np.clip(places, 0, len(self.entries) - 1)].astype(np.float64)

    def _first_for(self, values: np.ndarray) -> int:
        """Return `first`, a 16-bit number with a wrong sign in many files, with the sign that covers more values."""
        readings = (self.first, self.first - 65536 if self.first > 32767 else self.first + 65536)
        return max(readings, key=lambda first: self._met(first, values))

    def _met(self, first: int, values: np.ndarray) -> int:
        return int(np.count_nonzero((values >= first) & (values < first + len(self.entries))))


def modality(dataset: Dataset, stored: np.ndarray, notes: list[str]) -> np.ndarray:
    """Apply the Modality LUT to stored values of any shape; float64. Missing slope and intercept are 1 and 0."""
    table = _first_table(dataset, "ModalityLUTSequence", "Modality LUT", notes)
    if table is not None:
        return table(stored)
    slope, intercept = number(dataset, "RescaleSlope"), number(dataset, "RescaleIntercept") or 0.0
    if slope == 0:
        notes.append("Rescale Slope is 0: 1 is assumed")
    return stored * (slope or 1.0) + intercept


def presented(dataset: Dataset, values: np.ndarray, notes: list[str]) -> np.ndarray:
    """Apply the first VOI LUT, else the first possible window, to values of any shape; else return them unchanged.

    Tables and windows are alternatives, any of which is allowed (PS3.3 C.11.2.1); none of them inverts.
    """
    table = _first_table(dataset, "VOILUTSequence", "VOI LUT", notes)
    shown = table(values) if table is not None else _windowed(dataset, values, notes)
    if not np.ptp(shown) and np.ptp(values):
        notes.append("the window or VOI LUT gives a single grey value: it is ignored")
        return values
    return shown


def _windowed(dataset: Dataset, values: np.ndarray, notes: list[str]) -> np.ndarray:
    function = word(dataset, "VOILUTFunction") or "LINEAR"
    if function not in FUNCTIONS:
        notes.append("VOI LUT Function is unknown: LINEAR is assumed")
        function = "LINEAR"
    centres, widths = numbers(dataset, "WindowCenter"), numbers(dataset, "WindowWidth")
    least = 1.0 if function == "LINEAR" else 0.0
    windows = [(centre, width) for centre, width in zip(centres, widths, strict=False)
               if None not in (centre, width) and width >= least and width > 0]  # fmt: skip
    if not windows:
        if centres or widths:
            notes.append("Window Center and Window Width are invalid: they are ignored")
        return values
    return window(values, *windows[0], function)


def window(values: np.ndarray, centre: float, width: float, function: str = "LINEAR") -> np.ndarray:
    """Map values to [0, 1] by LINEAR (PS3.3 C.11.2.1.2; width >= 1), SIGMOID or LINEAR_EXACT (C.11.2.1.3)."""
    if function == "SIGMOID":
        return 1 / (1 + np.exp(np.clip(-4 * (values - centre) / width, -700, 700)))
    if function == "LINEAR_EXACT":
        return np.clip((values - centre) / width + 0.5, 0, 1)
    if width == 1:
        return (values > centre - 0.5).astype(np.float64)
    return np.clip((values - (centre - 0.5)) / (width - 1) + 0.5, 0, 1)


def _first_table(dataset: Dataset, sequence: str, name: str, notes: list[str]) -> Table | None:
    try:
        items = list(dataset.get(sequence) or [])
    except (TypeError, ValueError):
        items = []
    tables = [table for item in items if (table := _table(item)) is not None]
    if items and not tables:
        notes.append(f"the {name} of the file cannot be read: it is ignored")
    return next(iter(tables), None)


def _table(item: Dataset) -> Table | None:
    """Read a table; None unless it has the declared number of entries."""
    descriptor = [value for value in numbers(item, "LUTDescriptor") if value is not None]
    if len(descriptor) < 3:
        return None
    count, first, bits = (int(value) for value in descriptor[:3])
    count = count % 65536 or 65536  # 65536 does not fit into 16 bits and is written as 0
    entries = _entries(item, count, bits)
    return None if entries is None or len(entries) < count else Table(first, entries[:count])


def _entries(item: Dataset, count: int, bits: int) -> np.ndarray | None:
    """Read LUT Data as unsigned numbers; its length shows whether a word contains one or two 8-bit entries."""
    value = item.get("LUTData")
    if isinstance(value, bytes):
        packed = bits <= 8 and len(value) < 2 * count
        return np.frombuffer(value[: len(value) // 2 * 2], np.uint8 if packed else "<u2")
    if value is None:
        return None
    listed = [value] if isinstance(value, (int, float)) else list(value)
    try:
        entries = (np.array(listed, np.int64) & 0xFFFF).astype("<u2")
    except (TypeError, ValueError, OverflowError):
        return None
    return entries.view(np.uint8) if bits <= 8 and len(entries) < count else entries
