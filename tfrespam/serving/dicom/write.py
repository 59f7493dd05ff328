"""Write the DICOM objects of one segmented file."""

import io
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pydicom.dataset import Dataset

from tfrespam.core.files import whole_file
from tfrespam.evaluation.extent import extent
from tfrespam.serving.dicom.segmentation import segmentation
from tfrespam.serving.dicom.source import Algorithm, explained, read_source
from tfrespam.serving.dicom.structured_report import measurement_report
from tfrespam.serving.inference.written import PROBABILITY, SEG, SR


class Wanted(NamedTuple):
    """Selection of the DICOM objects to write."""
    seg: bool = False  # <name>_seg.dcm, the mask
    probability: bool = False  # <name>_probability.dcm, a fractional segmentation
    sr: bool = False  # <name>_sr.dcm, a report of measurements, which requires <name>_seg.dcm

    @property
    def endings(self) -> tuple[str, ...]:
        """Endings of the files that are written."""
        asked = {SEG: self.seg or self.sr, PROBABILITY: self.probability, SR: self.sr}
        return tuple(ending for ending in asked if asked[ending])


def write_objects(file: Path, target: Path, mask: np.ndarray, probability: np.ndarray, spacing_mm: float,
                  algorithm: Algorithm, wanted: Wanted) -> tuple[str, ...]:  # fmt: skip
    """Write the wanted objects for the DICOM file `file` to `target` plus an ending, either all or none.

    There is no report for an empty mask, because a reader might take it for a finding. Returns notes about invalid
    elements that were left out of the objects.

    Args:
        file: The source.
        target: Folder and name without ending.
        mask: (H, W), bool, or the number of the mass of each pixel from 1, 0 elsewhere.
        probability: (H, W) in [0, 1].
        spacing_mm: Size of a pixel, NaN if unknown.
        algorithm: The network.
        wanted: The objects to write.

    Raises:
        UserError: The source's header is unsuitable.
    """
    removed: list[str] = []
    source = read_source(file, removed)
    objects = {}
    if SEG in wanted.endings:
        objects[SEG] = segmentation(source, mask, algorithm)
    if PROBABILITY in wanted.endings:
        objects[PROBABILITY] = segmentation(source, probability, algorithm, "FRACTIONAL")
    if SR in wanted.endings and mask.any():
        extents = [extent(mask == number) for number in range(1, int(mask.max()) + 1)]
        objects[SR] = measurement_report(source, objects[SEG], extents, spacing_mm, algorithm)
    encoded = {ending: _encoded(made) for ending, made in objects.items()}
    for ending in set(wanted.endings) - objects.keys():  # from an earlier call that found a mass
        target.with_name(target.name + ending).unlink(missing_ok=True)
    for ending, data in encoded.items():
        _write(target.with_name(target.name + ending), data)
    return (f"left out of the DICOM objects, as invalid: {', '.join(removed)}",) if removed else ()


def _encoded(made: Dataset) -> bytes:
    buffer = io.BytesIO()
    with explained():
        made.save_as(buffer)
    return buffer.getvalue()


def _write(path: Path, data: bytes) -> None:
    with whole_file(path) as temporary:
        temporary.write_bytes(data)
