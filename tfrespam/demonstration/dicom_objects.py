"""DICOM segmentation objects where the package that writes them is installed; the only place that asks."""

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np

_WRITERS = ("tfrespam.serving.dicom_seg", "tfrespam.serving.dicom_source", "highdicom")


def available() -> bool:
    """Whether DICOM SEG can be written here."""
    return all(importlib.util.find_spec(name) is not None for name in _WRITERS)


def source_header(file: Path) -> Any:
    """The header that an object about `file` needs; None for other files, and where nothing can be written."""
    from tfrespam.serving.inputs import kind

    if not available() or kind(file) != "DICOM":
        return None
    return importlib.import_module("tfrespam.serving.dicom_source").read_source(file)


def write_segmentation(path: Path, header: Any, mask: np.ndarray, metadata: dict[str, Any], threshold: float) -> None:
    """Writes `mask` (H, W) bool as a BINARY segmentation of the picture with that header. Raises UserError."""
    writer = importlib.import_module("tfrespam.serving.dicom_seg")
    source = importlib.import_module("tfrespam.serving.dicom_source")
    algorithm = source.Algorithm.of(metadata, metadata.get("name", "tfrespam"), threshold)
    writer.segmentation(header, mask, algorithm).save_as(path)
