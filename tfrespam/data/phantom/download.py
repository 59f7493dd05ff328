"""Write a phantom patient's films, masks and crops with the case lists and folders of CBIS-DDSM (layout "tcia")."""

import uuid
from pathlib import Path

import cv2
import numpy as np
import pydicom
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage

from tfrespam.data.phantom.film import draw_film
from tfrespam.data.phantom.patient import PhantomBreast, PhantomMass, PhantomPatient, draw_patient

FIELDS = (
    "patient_id", "breast_density", "left or right breast", "image view", "abnormality id", "abnormality type",
    "mass shape", "mass margins", "assessment", "pathology", "subtlety",
    "image file path", "cropped image file path", "ROI mask file path",
)  # fmt: skip
FULL, CROP, ROI = "full mammogram images", "cropped images", "ROI mask images"
SPLIT_FOLDER = {"train": "Mass-Training", "test": "Mass-Test"}


def split_of(index: int) -> str:
    """Return the split of patient number `index`: every fifth is on the test list."""
    return "test" if index % 5 == 1 else "train"


def write_patient(out: Path, seed: int, index: int) -> list[dict[str, str]]:
    """Write all DICOM files of patient number `index` under OUT/CBIS-DDSM; return their rows of the case list.

    The result depends only on `seed` and `index`, not on the process.
    """
    rng = np.random.default_rng([seed, index])
    patient, split, rows = draw_patient(index, rng), split_of(index), []
    for breast in patient.breasts:
        for view in ("CC", "MLO"):
            case = f"{SPLIT_FOLDER[split]}_{patient.patient_id}_{breast.side}_{view}"
            rows += _write_film(out / "CBIS-DDSM", seed, case, patient, breast, view, rng)
    return rows


def _write_film(
    root: Path, seed: int, case: str, patient: PhantomPatient, breast: PhantomBreast, view: str,
    rng: np.random.Generator,
) -> list[dict[str, str]]:  # fmt: skip
    film, masks = draw_film(breast, patient.density, view, rng)
    film_path = f"{case}/{_uid(seed, case, 'study')}/{_uid(seed, case, 'series')}/000000.dcm"
    write_dicom(root / film_path, film, FULL, breast.side, view)
    rows = []
    for mass, mask in zip(breast.masses, masks, strict=True):
        crop_path, mask_path = _roi_paths(seed, f"{case}_{mass.number}", one_series=rng.uniform() < 0.94)
        write_dicom(root / crop_path, _crop(film, mask), CROP, breast.side, view)
        write_dicom(root / mask_path, mask.astype(np.uint8) * 255, ROI, breast.side, view)
        rows.append(_row(patient, breast, view, mass, (film_path, crop_path, mask_path), rng))
    return rows


def _roi_paths(seed: int, case: str, one_series: bool) -> tuple[str, str]:
    """Return the paths of crop and mask: two files of one series, or, as in a sixteenth of CBIS-DDSM, of two."""
    crop = f"{case}/{_uid(seed, case, 'study')}/{_uid(seed, case, 'series')}"
    if one_series:
        return f"{crop}/000000.dcm", f"{crop}/000001.dcm"
    return f"{crop}/000000.dcm", f"{case}/{_uid(seed, case, 'mask study')}/{_uid(seed, case, 'mask series')}/000000.dcm"


def _row(
    patient: PhantomPatient, breast: PhantomBreast, view: str, mass: PhantomMass, paths: tuple[str, str, str],
    rng: np.random.Generator,
) -> dict[str, str]:  # fmt: skip
    """Return one row with irregularities of the real list: a line break in the last field, missing shape or margins."""
    unknown = rng.uniform(size=2) < (0.01, 0.035)
    shape, margins = ("N/A" if gap else text for gap, text in zip(unknown, (mass.shape, mass.margins), strict=True))
    film, crop, mask = paths
    values = (
        patient.patient_id, patient.density, breast.side, view, mass.number, "mass",
        shape, margins, mass.assessment, mass.pathology, mass.subtlety, film, crop, mask + "\n",
    )  # fmt: skip
    return dict(zip(FIELDS, map(str, values), strict=True))


def _crop(film: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Crop the mass's bounding box with a margin, as in CBIS-DDSM's cropped images."""
    x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
    margin = 2 + round(0.15 * max(width, height))
    return film[max(0, y - margin) : y + height + margin, max(0, x - margin) : x + width + margin]


def _uid(seed: int, *names: str) -> str:
    """Return a UID under the root 2.25 for UUIDs, the same for the same seed and names."""
    return f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, '/'.join(('tfrespam phantom', str(seed), *names))).int}"


def write_dicom(path: Path, pixels: np.ndarray, description: str, side: str, view: str) -> None:
    """Write `pixels`, (H, W) uint16 or uint8, as an uncompressed Secondary Capture of modality MG.

    `path` ends in CASE/STUDY/SERIES/NUMBER.dcm; the header's identifiers are taken from it.
    """
    case, study, series, _ = path.parts[-4:]
    number = int(path.stem) + 1
    dataset = _header(f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, f'{series}/{number}').int}")
    dataset.PatientID, dataset.PatientName = case, "PHANTOM"
    dataset.ImageType, dataset.ImageComments = ["DERIVED", "SECONDARY"], "synthetic: tfrespam phantom, not a patient"
    dataset.Modality, dataset.BodyPartExamined, dataset.SeriesDescription = "MG", "BREAST", description
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study, series
    dataset.SeriesNumber, dataset.InstanceNumber = 1, number
    dataset.Laterality, dataset.PatientOrientation = side[0], view
    _set_pixels(dataset, pixels)
    path.parent.mkdir(parents=True, exist_ok=True)
    pydicom.dcmwrite(path, dataset, enforce_file_format=True)


def _header(instance: str) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = SecondaryCaptureImageStorage, instance
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID = SecondaryCaptureImageStorage, instance
    return dataset


def _set_pixels(dataset: FileDataset, pixels: np.ndarray) -> None:
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PixelRepresentation = 1, "MONOCHROME2", 0
    dataset.BitsAllocated = dataset.BitsStored = 8 * pixels.itemsize
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelData = np.ascontiguousarray(pixels).tobytes() + b"\0" * (pixels.nbytes % 2)
