"""DICOM films of any size for tests of the demo."""

from pathlib import Path

import cv2
import numpy as np

from tfrespam.data.phantom.download import write_dicom


def write_film(path: Path, rows: int, columns: int) -> Path:
    """Write a film with a bright disc on a grey gradient, 2 bytes a pixel."""
    pixels = np.linspace(0, 20000, rows * columns).reshape(rows, columns).astype(np.uint16)
    cv2.circle(pixels, (columns // 2, rows // 2), min(rows, columns) // 6, 60000, -1)
    written = path.parent / "P_1" / "1.2.2" / "1.2.3" / "000000.dcm"  # the writer takes the identifiers from there
    write_dicom(written, pixels, "full mammogram images", "LEFT", "CC")
    return written.rename(path)
