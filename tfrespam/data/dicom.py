"""One mammogram out of one DICOM file: grey levels, spacing, side and view; every quirk of the format is met here.

Terms are those of DICOM PS3.3. Greys go through the pipeline of PS3.4 N.2: modality LUT, then VOI LUT, and a
MONOCHROME1 picture is inverted last. No element that tells who the patient is gets logged or into a message.
"""

import contextlib
import dataclasses
import io
import logging
import os
import warnings
from collections.abc import Iterator

import numpy as np
import pydicom
from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.pixels import apply_modality_lut, apply_voi_lut, get_decoder

from tfrespam.errors import UserError

LOGGER = logging.getLogger("pydicom")
MAX_PIXELS = 150_000_000  # ten times the largest digitised film: what claims more is damaged or a decompression bomb
DIGITAL_MAMMOGRAPHY_FOR_PRESENTATION = "1.2.840.10008.5.1.4.1.1.1.2"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
DEFLATED = b"1.2.840.10008.1.2.1.99"
HEADER_TAGS = ["SeriesInstanceUID", "StudyInstanceUID", "PatientID", "SeriesDescription", "InstanceNumber"]
LATERALITIES = {"L": "LEFT", "R": "RIGHT"}
VIEWS = {"CC": "CC", "MLO": "MLO", "R-10242": "CC", "399162004": "CC", "R-10226": "MLO", "399368009": "MLO"}


@dataclasses.dataclass(frozen=True)
class DicomImage:
    """A mammogram ready for display or for a network."""

    pixels: np.ndarray  # (H, W) uint16 over the full range, bright = dense
    spacing_mm: float  # size of a pixel in the breast; NaN when unknown or not to be trusted
    laterality: str  # LEFT, RIGHT or ""
    view: str  # CC, MLO or ""
    photometric: str  # as stored: MONOCHROME1 or MONOCHROME2
    sop_class: str  # its UID

    @property
    def inverted(self) -> bool:
        """Whether the file shows the film dark on bright (`pixels` no longer does)."""
        return self.photometric == "MONOCHROME1"


def read_dicom(source: str | os.PathLike | bytes) -> DicomImage:
    """Reads one single-frame, monochrome picture from a path or from the bytes of a file.

    Raises UserError for anything else: no DICOM, truncated, colour, multi-frame, absurdly large, constant grey,
    or compressed in a way for which no decoder is installed.
    """
    with _guarded():
        dataset, stored = _read(source)
        photometric = str(dataset.PhotometricInterpretation)
        pixels = _displayed(dataset, stored, photometric)
        return DicomImage(pixels, _spacing(dataset), _laterality(dataset), _view(dataset), photometric,
                          str(dataset.get("SOPClassUID", "")))


def read_stored(source: str | os.PathLike | bytes) -> np.ndarray:
    """The stored values (H, W), untouched: what a mask is read with. Raises as `read_dicom`."""
    with _guarded():
        return _read(source)[1]


def read_header(path: str | os.PathLike) -> dict[str, str] | None:
    """The elements of HEADER_TAGS as text ("" when absent), or None when `path` is no readable DICOM file."""
    try:
        with _guarded():
            dataset = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=HEADER_TAGS)
            return {tag: str(dataset.get(tag, "")).strip() for tag in HEADER_TAGS}
    except UserError:
        return None


@contextlib.contextmanager
def _guarded() -> Iterator[None]:
    """Silences pydicom, whose warnings quote a patient's data, and turns all that a damaged file does to UserError."""
    disabled, LOGGER.disabled = LOGGER.disabled, True
    try:
        with warnings.catch_warnings(), disable_value_validation():
            warnings.simplefilter("ignore")
            yield
    except UserError:
        raise
    except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
        raise UserError(f"the file cannot be opened ({error.strerror})") from None
    except InvalidDicomError:
        raise UserError("not a DICOM file: it does not carry the mark DICM at byte 128") from None
    except Exception as error:  # pydicom meets damage with errors of many types
        raise UserError(f"the DICOM file is damaged or truncated ({type(error).__name__})") from None
    finally:
        LOGGER.disabled = disabled


def _read(source: str | os.PathLike | bytes) -> tuple[Dataset, np.ndarray]:
    with io.BytesIO(source) if isinstance(source, bytes) else open(source, "rb") as file:
        # pydicom would inflate a deflated file without a limit, and no modality sends mammograms so
        if DEFLATED in file.read(1024):
            raise UserError("deflated DICOM files are not read")
        file.seek(0)
        dataset = pydicom.dcmread(file)
    _check_picture(dataset)
    return dataset, _decode(dataset)


def _check_picture(dataset: Dataset) -> None:
    rows, columns = int(dataset.get("Rows") or 0), int(dataset.get("Columns") or 0)
    if "PixelData" not in dataset or rows * columns == 0:
        raise UserError("the DICOM file holds no picture")
    if rows * columns > MAX_PIXELS:
        raise UserError(f"the DICOM file claims {rows} x {columns} pixels; expected at most {MAX_PIXELS} in all")
    if int(dataset.get("NumberOfFrames") or 1) > 1:
        raise UserError(f"expected one frame. Received: NumberOfFrames={int(dataset.NumberOfFrames)} (tomosynthesis?)")
    photometric = dataset.get("PhotometricInterpretation", "")
    if int(dataset.get("SamplesPerPixel") or 1) != 1 or not str(photometric).startswith("MONOCHROME"):
        raise UserError(f"expected a grey picture. Received: PhotometricInterpretation={photometric!r}")


def _decode(dataset: Dataset) -> np.ndarray:
    syntax = getattr(dataset.file_meta, "TransferSyntaxUID", None)
    if syntax is None:
        raise UserError("the DICOM file does not name its transfer syntax")
    if syntax.is_compressed and not get_decoder(syntax).is_available:
        raise UserError(f'no decoder for {syntax.name} is installed: pip install "tfrespam[dicom-jpeg]" brings one')
    pixels = dataset.pixel_array
    if pixels.ndim != 2 or pixels.dtype.itemsize > 2:
        raise UserError(f"expected one picture of 8 or 16 bits. Received: {pixels.shape}, {pixels.dtype}")
    return pixels


def _displayed(dataset: Dataset, stored: np.ndarray, photometric: str) -> np.ndarray:
    """Stored values to uint16 through one look-up table, so a 5000 x 3000 film never becomes floats."""
    values = apply_modality_lut(np.arange(int(stored.min()), int(stored.max()) + 1), dataset)
    # Digitised film has no meaningful window; a for-presentation picture is meant to be seen through its own.
    if dataset.get("SOPClassUID") == DIGITAL_MAMMOGRAPHY_FOR_PRESENTATION:
        values = _windowed(values, dataset)
    if photometric == "MONOCHROME1":
        values = -values.astype(np.float64)
    return _look_up(_full_range(values), stored)


def _windowed(values: np.ndarray, dataset: Dataset) -> np.ndarray:
    whole = values.astype(np.int32) if np.array_equal(values, values.astype(np.int32)) else values
    try:
        shown = apply_voi_lut(whole, dataset)
    except Exception:  # an impossible window (width 0, a short table) says nothing: show all values
        return values
    return shown if np.ptp(shown) else values


def stretch(pixels: np.ndarray) -> np.ndarray:
    """Integers of at most 16 bits, scaled linearly to uint16: smallest 0, largest 65535; UserError when constant."""
    return _look_up(_full_range(np.arange(int(pixels.min()), int(pixels.max()) + 1)), pixels)


def _full_range(values: np.ndarray) -> np.ndarray:
    low, high = float(values.min()), float(values.max())
    if not high > low:
        raise UserError(f"the picture is one constant grey ({low:g})")
    return np.rint((values - low) * (65535 / (high - low))).astype(np.uint16)


def _look_up(table: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """`table`[k] for each pixel that lies k above the smallest one."""
    unsigned = np.dtype(f"u{pixels.dtype.itemsize}")  # wraps around, so the difference is right for signed pixels too
    return table[pixels.view(unsigned) - pixels.min().view(unsigned)]


def _spacing(dataset: Dataset) -> float:
    """Millimetres per pixel in the plane of the breast (PS3.3 C.8.11.7), or NaN.

    A secondary capture's spacing counts only when the file says how it was calibrated.
    """
    if dataset.get("SOPClassUID") == SECONDARY_CAPTURE and not dataset.get("PixelSpacingCalibrationType"):
        return float("nan")
    magnification = 1.0
    spacing = dataset.get("PixelSpacing")
    if not spacing:
        spacing = dataset.get("ImagerPixelSpacing")  # at the detector: the breast lies nearer to the tube
        magnification = _number(dataset.get("EstimatedRadiographicMagnificationFactor")) or 1.0
    try:
        vertical, horizontal = (float(value) / magnification for value in spacing)
    except (TypeError, ValueError):
        return float("nan")
    square = vertical > 0 and abs(vertical - horizontal) <= 0.01 * vertical
    return vertical if square else float("nan")


def _number(value: object) -> float:
    try:
        return max(float(value), 0.0)
    except (TypeError, ValueError):
        return 0.0


def _laterality(dataset: Dataset) -> str:
    stored = dataset.get("ImageLaterality") or dataset.get("Laterality") or ""
    return LATERALITIES.get(str(stored).strip().upper()[:1], "")


def _view(dataset: Dataset) -> str:
    codes = dataset.get("ViewCodeSequence") or []
    found = [dataset.get("ViewPosition"), *(code.get("CodeValue") for code in codes), dataset.get("PatientOrientation")]
    return next((VIEWS[str(name)] for name in found if str(name) in VIEWS), "")
