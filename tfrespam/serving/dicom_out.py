"""The DICOM objects that belong to one segmented file, written beside its pictures."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from tfrespam.serving.dicom_source import Algorithm, read_source
from tfrespam.serving.written import PROBABILITY, SEG, SR


class Wanted(NamedTuple):
    """Which objects to write."""

    seg: bool = False  # <name>_seg.dcm, the mask
    probability: bool = False  # <name>_probability.dcm, a fractional segmentation
    sr: bool = False  # <name>_sr.dcm, a report of the measurements in <name>_seg.dcm, which it needs

    @property
    def endings(self) -> tuple[str, ...]:
        """Of the files that are written."""
        asked = {SEG: self.seg or self.sr, PROBABILITY: self.probability, SR: self.sr}
        return tuple(ending for ending in asked if asked[ending])


def write_objects(file: Path, target: Path, mask: np.ndarray, probability: np.ndarray, extent: tuple[int, float],
                  spacing_mm: float, algorithm: Algorithm, wanted: Wanted) -> None:  # fmt: skip
    """Writes what is wanted about the DICOM file `file` to `target` with an ending, each whole or not at all.

    An empty mask has no report: a reader would take it for a finding.

    Args:
        file: The source.
        target: Folder and name without ending.
        mask: (H, W) bool.
        probability: (H, W) in [0, 1].
        extent: Area and longest diameter of the mask, in pixels.
        spacing_mm: Size of a pixel, NaN when unknown.
        algorithm: The network.
        wanted: Which objects.

    Raises:
        UserError: The source's header does not allow it.
    """
    from tfrespam.serving.dicom_seg import segmentation
    from tfrespam.serving.dicom_sr import measurement_report

    source = read_source(file)
    objects = {}
    if SEG in wanted.endings:
        objects[SEG] = segmentation(source, mask, algorithm)
    if PROBABILITY in wanted.endings:
        objects[PROBABILITY] = segmentation(source, probability, algorithm, "FRACTIONAL")
    if SR in wanted.endings and mask.any():
        objects[SR] = measurement_report(source, objects[SEG], *extent, spacing_mm, algorithm)
    for ending in set(wanted.endings) - objects.keys():  # of an earlier call, which found a mass
        target.with_name(target.name + ending).unlink(missing_ok=True)
    for ending, made in objects.items():
        _write(target.with_name(target.name + ending), made)


def _write(path: Path, made) -> None:
    from tfrespam.files import whole_file

    with whole_file(path) as temporary:
        made.save_as(temporary)
