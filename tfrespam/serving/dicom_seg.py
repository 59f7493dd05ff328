"""Masks and probabilities as DICOM segmentation objects (PS3.3 A.51), through highdicom."""

from typing import Literal

import numpy as np
from pydicom.dataset import Dataset

from tfrespam.data.dicom_header import laterality, spacings_mm
from tfrespam.errors import UserError
from tfrespam.serving.dicom_source import MANUFACTURER, Algorithm, explained, uid_for


def segmentation(source: Dataset, mask: np.ndarray, algorithm: Algorithm,
                 kind: Literal["BINARY", "FRACTIONAL"] = "BINARY") -> Dataset:  # fmt: skip
    """A segmentation of one mass on the picture that `source` is the header of.

    Its matrix is the source's: row and column numbers mean the same pixel in both, however the picture is oriented.

    Args:
        source: From `read_source`.
        mask: (H, W) bool for BINARY; probabilities in [0, 1] for FRACTIONAL, which are kept in steps of 1/255.
        algorithm: The network.
        kind: What `mask` is.

    Raises:
        UserError: The mask's shape is not the source's, or the source's header does not allow it.
    """
    if mask.shape != (source.Rows, source.Columns):
        raise UserError(f"the mask must have the source's shape {source.Rows} x {source.Columns}. "
                        f"Received: {mask.shape[0]} x {mask.shape[1]}")  # fmt: skip
    pixels = mask.astype(np.uint8) if kind == "BINARY" else mask.astype(np.float32)
    with explained():
        import highdicom

        made = highdicom.seg.Segmentation(
            source_images=[source],
            pixel_array=pixels[np.newaxis],
            segmentation_type=kind,
            segment_descriptions=[_description(source, algorithm)],
            series_instance_uid=uid_for(source, algorithm, "series", kind),
            series_number=9000 + (kind == "FRACTIONAL"),
            sop_instance_uid=uid_for(source, algorithm, kind, algorithm.threshold, pixels.tobytes()),
            instance_number=1,
            manufacturer=MANUFACTURER,
            manufacturer_model_name=algorithm.name[:64],
            software_versions=algorithm.version[:64],
            device_serial_number=algorithm.serial_number,
            fractional_type="PROBABILITY",
            max_fractional_value=255,
            omit_empty_frames=False,
            series_description="Mass: " + ("mask" if kind == "BINARY" else "probability"),
            content_label="MASS",
        )
        made.PatientOrientation = _orientation(source)
        _with_spacing(made, source)
        return made


def identification(algorithm: Algorithm):
    """Algorithm Identification Sequence: name, version, and the hash of graph and weights."""
    import highdicom
    from pydicom.sr.codedict import codes

    return highdicom.AlgorithmIdentificationSequence(
        name=algorithm.name[:64], family=codes.DCM.ArtificialIntelligence, version=algorithm.version[:64],
        source=MANUFACTURER, parameters=algorithm.parameters)  # fmt: skip


def _description(source: Dataset, algorithm: Algorithm):
    import highdicom
    from pydicom.sr.codedict import codes

    side = {"LEFT": codes.SCT.Left, "RIGHT": codes.SCT.Right}.get(laterality(source))
    made = highdicom.seg.SegmentDescription(
        segment_number=1,
        segment_label="Breast mass",
        segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
        segmented_property_type=codes.SCT.Mass,
        algorithm_type=highdicom.seg.SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=identification(algorithm),
        anatomic_regions=[codes.SCT.Breast],
    )
    if side is not None:
        modifier = highdicom.sr.CodedConcept(side.value, side.scheme_designator, side.meaning)
        made.AnatomicRegionSequence[0].AnatomicRegionModifierSequence = [modifier]
    return made


def _orientation(source: Dataset) -> list[str] | str:
    """The directions of rows and columns, which are the source's; "" where it has put something else there."""
    stored = source.get("PatientOrientation") or ""
    directions = [str(each) for each in stored] if not isinstance(stored, str) else [stored]
    valid = len(directions) == 2 and all(each and set(each) <= set("LRAPHF") for each in directions)
    return directions if valid else ""


def _with_spacing(made: Dataset, source: Dataset) -> None:
    """The pixel spacing, as the report has it; highdicom leaves it out where a picture has no place in the patient."""
    import highdicom

    shared = made.SharedFunctionalGroupsSequence[0]
    spacing = spacings_mm(source)
    if spacing and "PixelMeasuresSequence" not in shared:
        # readers insist on a thickness, and validators on one above 0: that of the breast, where it is known
        thickness = float(source.get("BodyPartThickness") or 1.0)
        shared.PixelMeasuresSequence = highdicom.PixelMeasuresSequence(
            pixel_spacing=list(spacing), slice_thickness=thickness)  # fmt: skip
