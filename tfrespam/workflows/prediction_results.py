"""Write the results of `predict` for one image: mask, probability, overlay, DICOM objects, and table rows."""

import hashlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from scipy import ndimage

from tfrespam.core import png
from tfrespam.core.console import log, shown
from tfrespam.core.errors import UserError
from tfrespam.core.files import whole_file
from tfrespam.data.dicom.reader import read_header
from tfrespam.evaluation.extent import Extent, extent
from tfrespam.evaluation.overlay import draw_candidates, draw_contour, grey_to_rgb
from tfrespam.serving.dicom.write import write_objects
from tfrespam.serving.inference.jobs import Case
from tfrespam.serving.inference.saved_model import Segmentation
from tfrespam.serving.inference.written import IMAGE_ENDINGS

FIELDS = ("file", "height", "width", "area_px", "longest_diameter_px", "area_mm2", "longest_diameter_mm",
          "tumour_fraction", "mean_probability", "region", "candidates", "patient", "status", "name",
          "notes")  # fmt: skip
CANDIDATE_FIELDS = ("file", "number", "score", "y0", "x0", "y1", "x1", "area_px", "area_mm2", "longest_diameter_px",
                    "longest_diameter_mm", "outline_area_px", "outline_area_mm2", "outline_longest_diameter_px",
                    "outline_longest_diameter_mm")  # fmt: skip
NOTHING = "no mass found"
LISTED = "listed"  # key of a row's candidates, which are in a separate table


def finish(case: Case, folder: Path, settings: dict[str, Any]) -> dict:
    """Write the three images of `case`; return its row, with those of its candidates under LISTED."""
    row = {"file": case.file, "name": case.name}
    if case.fault:
        return row | {"status": f"{'undone' if case.undone else 'failed'}: {case.fault}"}
    threshold, notes = settings["threshold"], case.image.notes
    probability, mask = _decoded(case.segmentation, threshold)
    found = case.segmentation.candidates
    if found is not None and not found:
        notes += (NOTHING,)
    if case.is_dicom and any(settings["dicom"]):  # first, because it may fail, and then no file should be written
        try:
            masses = mask if case.segmentation.labels is None else case.segmentation.labels
            notes += write_objects(case.file, folder / case.name, masses, probability / np.float32(65535),
                                   case.image.spacing_mm, settings["algorithms"][case.region], settings["dicom"])
        except UserError as error:
            case.fault = str(error)
            return row | {"status": f"failed: {error}"}
    overlay = draw_contour(grey_to_rgb(case.image.pixels), mask)
    if found:
        overlay = draw_candidates(overlay, [(each.box, each.score) for each in found])
    as_answered = threshold is None or case.segmentation.labels is not None
    mask_png = case.segmentation.mask_png if as_answered else png.encode(mask.astype("uint8") * 255)
    overlay_png = png.encode(cv2.cvtColor(overlay, cv2.COLOR_RGB2BGR))
    for ending, data in zip(IMAGE_ENDINGS, (mask_png, case.segmentation.probability_png, overlay_png), strict=True):
        _write(folder / f"{case.name}{ending}", data)
    known = {"region": case.region, "patient": _patient(case, settings["patient_ids"]), "status": "ok",
             "notes": "; ".join(notes), "candidates": "" if found is None else len(found)}  # fmt: skip
    listed = _candidate_rows(case, case.image.spacing_mm) if found else []
    log.debug(f"done: {shown(case.file)}", extra={"file": str(case.file), "status": "ok"})
    return row | _measures(mask, probability, case.image.spacing_mm) | known | {LISTED: listed}


def _candidate_rows(case: Case, spacing: float) -> list[dict[str, Any]]:
    """Return the rows of candidates.csv: the candidates of the film network, and their outlines."""
    found, labels = case.segmentation.candidates, case.segmentation.labels
    places = ndimage.find_objects(labels, len(found))
    rows = []
    for number, (each, place) in enumerate(zip(found, places, strict=True), 1):
        outline = extent(labels[place] == number) if place else Extent(0, 0.0)
        rows.append({"file": str(case.file), "number": number, "score": round(each.score, 6),
                     **dict(zip(("y0", "x0", "y1", "x1"), each.box, strict=True)),
                     **_size("", each.area_px, each.longest_diameter_px, spacing),
                     **_size("outline_", *outline, spacing)})  # fmt: skip
    return rows


def _size(prefix: str, area: int, diameter: float, spacing: float) -> dict[str, Any]:
    """Return area and diameter in pixels, and in mm if the spacing is known."""
    known = spacing > 0
    return {
        f"{prefix}area_px": area,
        f"{prefix}longest_diameter_px": round(diameter, 2),
        f"{prefix}area_mm2": round(area * spacing**2, 3) if known else "",
        f"{prefix}longest_diameter_mm": round(diameter * spacing, 3) if known else "",
    }


def _patient(case: Case, in_clear: bool) -> str:
    """Return the patient of a DICOM file, hashed unless `in_clear`; "" if there is none."""
    known = (case.is_dicom and read_header(case.file) or {}).get("PatientID", "")
    return known if in_clear or not known else hashlib.sha256(f"patient {known}".encode()).hexdigest()[:16]


def _decoded(segmentation: Segmentation, threshold: float | None) -> tuple[np.ndarray, np.ndarray]:
    """Decode the probability (H, W) uint16, in steps of 1/65535, and the mask (H, W) bool."""
    png = segmentation.probability_png, segmentation.mask_png
    probability, mask = (cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) for data in png)
    as_answered = threshold is None or segmentation.labels is not None  # the threshold was applied to the candidates
    return probability, mask > 0 if as_answered else probability >= threshold * 65535


def _measures(mask: np.ndarray, probability: np.ndarray, spacing: float) -> dict:
    """Return size and mean probability; unknown lengths in mm and the probability of an empty mask are ""."""
    area, diameter = extent(mask)
    return {
        "height": mask.shape[0],
        "width": mask.shape[1],
        **_size("", area, diameter, spacing),
        "tumour_fraction": round(area / mask.size, 6),
        "mean_probability": round(float(probability[mask].mean()) / 65535, 5) if area else "",
    }


def _write(path: Path, data: bytes) -> None:
    with whole_file(path) as temporary:
        temporary.write_bytes(data)
