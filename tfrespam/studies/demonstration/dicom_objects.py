"""Write DICOM segmentation objects, if highdicom is installed."""

import contextlib
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np

from tfrespam.core.errors import UserError
from tfrespam.serving.dicom import segmentation as dicom_seg
from tfrespam.serving.dicom import source as dicom_source
from tfrespam.serving.inference import inputs


def available() -> bool:
    """Return whether DICOM SEG can be written."""
    return importlib.util.find_spec("highdicom") is not None


def source_header(file: Path) -> Any:
    """Read the header for an object about `file`; None if no object can be created, as without a study."""
    if not available() or inputs.kind(file) != "DICOM":
        return None
    with contextlib.suppress(UserError):  # the image can still be segmented
        return dicom_source.read_source(file)
    return None


def write_segmentation(path: Path, header: Any, mask: np.ndarray, algorithm: dicom_source.Algorithm) -> None:
    """Write `mask` (H, W), bool or numbers of masses, as a BINARY segmentation of the image with that header.

    Raises UserError.
    """
    dicom_seg.segmentation(header, mask, algorithm).save_as(path)
