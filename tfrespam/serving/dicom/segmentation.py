"""Create DICOM segmentation objects (PS3.3 A.51) from masks and probabilities, with highdicom."""

from typing import Literal

import numpy as np
from pydicom.dataset import Dataset

from tfrespam.core.errors import UserError
from tfrespam.data.dicom.header import laterality, spacings_mm
from tfrespam.serving.dicom.source import MANUFACTURER, Algorithm, explained, uid_for
from tfrespam.serving.dicom.valid_header import thickness

# of segments, in turn; distinguishable by every kind of colour vision (Okabe and Ito, jfly.uni-koeln.de/color)
COLOURS = ((230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (0, 114, 178), (213, 94, 0), (204, 121, 167))


def segmentation(source: Dataset, mask: np.ndarray, algorithm: Algorithm,
                 kind: Literal["BINARY", "FRACTIONAL"] = "BINARY") -> Dataset:  # fmt: skip
    """Create a segmentation of the image with the header `source`, one segment for each mass.

    Its rows and columns are those of the source, whatever the orientation of the image.

    Args:
        source: From `read_source`.
        mask: (H, W). For BINARY: bool, or the number of the mass of each pixel from 1, 0 elsewhere. For FRACTIONAL:
            probabilities in [0, 1], which are stored in steps of 1/255.
        algorithm: The network.
        kind: Type of `mask`.

    Raises:
        UserError: The mask has another shape than the source, or the source's header is unsuitable.
    """
    if mask.shape != (source.Rows, source.Columns):
        raise UserError(f"the mask must have the source's shape {source.Rows} x {source.Columns}. "
                        f"Received: {mask.shape[0]} x {mask.shape[1]}")  # fmt: skip
    pixels = mask.astype(np.uint16 if kind == "BINARY" else np.float32)
    count = max(int(mask.max()), 1) if kind == "BINARY" else 1
    with explained():
        import highdicom

        made = highdicom.seg.Segmentation(
            source_images=[source],
            pixel_array=pixels[np.newaxis],
            segmentation_type=kind,
            segment_descriptions=[_description(source, algorithm, number, _tracked(source, algorithm, pixels, number))
                                  for number in range(1, count + 1)],
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
    """Create the Algorithm Identification Sequence: name, version, and the hash of graph and weights."""
    import highdicom
    from pydicom.sr.codedict import codes

    return highdicom.AlgorithmIdentificationSequence(
        name=algorithm.name[:64], family=codes.DCM.ArtificialIntelligence, version=algorithm.version[:64],
        source=MANUFACTURER, parameters=algorithm.parameters)  # fmt: skip


def side_of(source: Dataset):
    """Return the side of the breast as a code; None if the header does not contain it."""
    from pydicom.sr.codedict import codes

    return {"LEFT": codes.SCT.Left, "RIGHT": codes.SCT.Right}.get(laterality(source))


def _tracked(source: Dataset, algorithm: Algorithm, pixels: np.ndarray, number: int) -> dict[str, str]:
    """Return label, tracking ID and UID, derived from the pixels, of mass `number`; for probabilities only a label."""
    if pixels.dtype == np.float32:
        return {"segment_label": "Breast mass"}
    name, shape = f"Breast mass {number}", np.packbits(pixels == number).tobytes()
    return {"segment_label": name, "tracking_id": name, "tracking_uid": uid_for(source, algorithm, "tracking", shape)}


def _description(source: Dataset, algorithm: Algorithm, number: int, names: dict[str, str]):
    import highdicom
    from pydicom.sr.codedict import codes

    side = side_of(source)
    made = highdicom.seg.SegmentDescription(
        segment_number=number,
        **names,
        display_color=highdicom.color.CIELabColor.from_rgb(*COLOURS[(number - 1) % len(COLOURS)]),
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
    """Return the source's directions of rows and columns; "" if they are invalid."""
    stored = source.get("PatientOrientation") or ""
    directions = [str(each) for each in stored] if not isinstance(stored, str) else [stored]
    valid = len(directions) == 2 and all(each and set(each) <= set("LRAPHF") for each in directions)
    return directions if valid else ""


def _with_spacing(made: Dataset, source: Dataset) -> None:
    """Add the pixel spacing, as in the report; highdicom omits it for images without a position in the patient."""
    import highdicom

    shared = made.SharedFunctionalGroupsSequence[0]
    spacing = spacings_mm(source)
    if spacing and "PixelMeasuresSequence" not in shared:
        shared.PixelMeasuresSequence = highdicom.PixelMeasuresSequence(
            pixel_spacing=list(spacing), slice_thickness=thickness(source))  # fmt: skip
