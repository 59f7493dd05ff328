"""DICOM segmentation objects, where highdicom is installed."""

import contextlib
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np

from tfrespam.errors import UserError
from tfrespam.serving import dicom_seg, dicom_source, inputs


def available() -> bool:
    """Whether DICOM SEG can be written here."""
    return importlib.util.find_spec("highdicom") is not None


def source_header(file: Path) -> Any:
    """The header that an object about `file` needs; None where none can be made, as of a picture without a study."""
    if not available() or inputs.kind(file) != "DICOM":
        return None
    with contextlib.suppress(UserError):  # it can be segmented all the same
        return dicom_source.read_source(file)
    return None


def write_segmentation(path: Path, header: Any, mask: np.ndarray, metadata: dict[str, Any], threshold: float) -> None:
    """Writes `mask` (H, W) bool as a BINARY segmentation of the picture with that header. Raises UserError."""
    algorithm = dicom_source.Algorithm.of(metadata, "tfrespam", threshold)
    dicom_seg.segmentation(header, mask, algorithm).save_as(path)
