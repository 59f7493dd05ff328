"""Independent implementation of DICOM PS3.4 N.2, pixel by pixel as in the standard, to test tfrespam.data.dicom.greys.

Shares nothing with the package: no table over all stored values, no pydicom.
"""

import numpy as np


def shown(stored, slope=1.0, intercept=0.0, photometric="MONOCHROME2", window=None, function="LINEAR", table=None,
          padding=None):  # fmt: skip
    """Convert stored values (H, W) to uint16, bright = dense.

    Args:
        stored: Whole numbers.
        slope, intercept: Of the Modality LUT (C.11.1.1.2).
        photometric: MONOCHROME1 or MONOCHROME2 (C.7.6.3.1.2).
        window: Centre and width (C.11.2.1.2), or None.
        function: LINEAR, LINEAR_EXACT or SIGMOID (C.11.2.1.2.1, C.11.2.1.3).
        table: First value mapped and entries of a VOI LUT (C.11.2.1.1), or None.
        padding: First and last padding value (C.7.5.1.1.2), or None.
    """
    greys = [_grey(int(value) * slope + intercept, window, function, table) for value in stored.ravel()]
    if photometric == "MONOCHROME1":
        greys = [-grey for grey in greys]
    empty = [padding is not None and padding[0] <= value <= padding[1] for value in stored.ravel()]
    inside = [grey for grey, nothing in zip(greys, empty, strict=True) if not nothing]
    low, high = min(inside), max(inside)
    scaled = [0 if nothing else round(65535 * (grey - low) / (high - low))
              for grey, nothing in zip(greys, empty, strict=True)]  # fmt: skip
    return np.array(scaled, np.uint16).reshape(stored.shape)


def _grey(x, window, function, table):
    if table is not None:
        first, entries = table
        x = int(np.rint(x))
        if x < first:
            return float(entries[0])
        if x >= first + len(entries):
            return float(entries[-1])
        return float(entries[x - first])
    if window is None:
        return x
    c, w = window
    if function == "SIGMOID":
        return 1 / (1 + np.exp(min(-4 * (x - c) / w, 700)))
    if function == "LINEAR_EXACT":
        if x <= c - w / 2:
            return 0.0
        return 1.0 if x > c + w / 2 else (x - c) / w + 0.5
    if x <= c - 0.5 - (w - 1) / 2:
        return 0.0
    return 1.0 if x > c - 0.5 + (w - 1) / 2 else (x - (c - 0.5)) / (w - 1) + 0.5
