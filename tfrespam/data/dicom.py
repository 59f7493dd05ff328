"""One mammogram out of one DICOM file: grey levels, spacing, side and view; every quirk of the format is met here.

Read are all uncompressed transfer syntaxes, RLE and JPEG 2000; JPEG, JPEG-LS and JPEG Lossless with the extra
`[dicom-jpeg]`. No element that tells who the patient is gets logged or into a message.
"""

import contextlib
import dataclasses
import io
import logging
import os
import warnings
import zlib
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
import pydicom
from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.pixels import get_decoder
from pydicom.uid import JPEGExtended12Bit

from tfrespam.data import dicom_isolated
from tfrespam.data.dicom_greys import displayed, stored_bits
from tfrespam.data.dicom_header import laterality, spacing_mm, view
from tfrespam.errors import UserError

LOGGER = logging.getLogger("pydicom")
MAX_PIXELS = 1 << 26  # 67 million, as in the exported graph; a film digitised at 42 um has about 25 million
MAX_INFLATED = 2 * MAX_PIXELS + (16 << 20)  # bytes
DEFLATED, PLAIN = b"1.2.840.10008.1.2.1.99", b"1.2.840.10008.1.2.1".ljust(22, b"\0")
TOMOSYNTHESIS = "1.2.840.10008.5.1.4.1.1.13.1.3"
HEADER_TAGS = ["SeriesInstanceUID", "StudyInstanceUID", "PatientID", "SeriesDescription", "InstanceNumber"]


@dataclasses.dataclass(frozen=True)
class DicomImage:
    """A mammogram ready for display or for a network."""

    pixels: np.ndarray  # (H, W) uint16 over the full range, bright = dense
    spacing_mm: float  # size of a pixel in the breast; NaN when unknown or not to be trusted
    laterality: str  # LEFT, RIGHT or ""
    view: str  # CC, MLO, another view of CID 4014, or ""
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
        return DicomImage(displayed(dataset, stored), spacing_mm(dataset), laterality(dataset), view(dataset),
                          str(dataset.PhotometricInterpretation), str(dataset.get("SOPClassUID", "")))


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
def quiet() -> Iterator[None]:
    """Silences pydicom, whose warnings quote a patient's data."""
    disabled, LOGGER.disabled = LOGGER.disabled, True
    try:
        with warnings.catch_warnings(), disable_value_validation():
            warnings.simplefilter("ignore")
            yield
    finally:
        LOGGER.disabled = disabled


@contextlib.contextmanager
def _guarded() -> Iterator[None]:
    """`quiet`, and all that a damaged file does becomes UserError."""
    try:
        with quiet():
            yield
    except UserError:
        raise
    except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
        raise UserError(f"the file cannot be opened ({error.strerror})") from None
    except InvalidDicomError:
        raise UserError("not a DICOM file: it does not carry the mark DICM at byte 128") from None
    except Exception as error:  # pydicom meets damage with errors of many types
        raise UserError(f"the DICOM file is damaged or truncated ({type(error).__name__})") from None


def _read(source: str | os.PathLike | bytes) -> tuple[Dataset, np.ndarray]:
    with io.BytesIO(source) if isinstance(source, bytes) else open(source, "rb") as file:
        deflated = DEFLATED in file.read(1024)
        file.seek(0)
        dataset = pydicom.dcmread(_inflated(file) if deflated else file)
        _check_picture(dataset)
        return dataset, _decode(dataset, file)


def _inflated(file: BinaryIO) -> BinaryIO:
    """A deflated file as one in Explicit VR Little Endian; pydicom would inflate it without a limit."""
    head = file.read(144)
    if head[132:140] != b"\x02\0\0\0UL\x04\0":
        raise UserError("the DICOM file is damaged: its meta information does not begin with its length")
    meta = head + file.read(int.from_bytes(head[140:144], "little"))
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    content = inflater.decompress(file.read(), MAX_INFLATED)
    if inflater.unconsumed_tail:
        raise UserError(f"the DICOM file inflates to more than {MAX_INFLATED >> 20} MB")
    return io.BytesIO(meta.replace(DEFLATED, PLAIN) + content)


def _check_picture(dataset: Dataset) -> None:
    rows, columns = int(dataset.get("Rows") or 0), int(dataset.get("Columns") or 0)
    if "PixelData" not in dataset or rows * columns == 0:
        raise UserError("the DICOM file holds no picture")
    if rows * columns > MAX_PIXELS:
        raise UserError(f"the DICOM file claims {rows} x {columns} pixels; expected at most {MAX_PIXELS} in all")
    if int(dataset.get("NumberOfFrames") or 1) > 1:
        kind = "tomosynthesis" if dataset.get("SOPClassUID") == TOMOSYNTHESIS else "tomosynthesis or a series?"
        raise UserError(f"expected one picture of one frame. Received: NumberOfFrames={int(dataset.NumberOfFrames)} "
                        f"({kind}). Extract the frame that is meant")  # fmt: skip
    photometric = dataset.get("PhotometricInterpretation", "")
    if int(dataset.get("SamplesPerPixel") or 1) != 1 or not str(photometric).startswith("MONOCHROME"):
        raise UserError(f"expected a grey picture. Received: PhotometricInterpretation={photometric!r}")


def _decode(dataset: Dataset, file: BinaryIO) -> np.ndarray:
    syntax = getattr(dataset.file_meta, "TransferSyntaxUID", None)
    if syntax is None:
        raise UserError("the DICOM file does not name its transfer syntax")
    if syntax.is_compressed and not get_decoder(syntax).is_available:
        raise UserError(f'no decoder for {syntax.name} is installed: pip install "tfrespam[dicom-jpeg]" brings one')
    pixels = _compressed(dataset, file) if syntax.is_encapsulated else dataset.pixel_array
    if pixels.ndim != 2 or pixels.dtype.itemsize > 2:
        raise UserError(f"expected one picture of 8 or 16 bits. Received: {pixels.shape}, {pixels.dtype}")
    pixels = pixels.astype(pixels.dtype.newbyteorder("="), copy=False)  # big endian files give big endian arrays
    return pixels if syntax.is_encapsulated else stored_bits(dataset, pixels)


def _compressed(dataset: Dataset, file: BinaryIO) -> np.ndarray:
    """With any decoder but GDCM, which damaged files can crash; where it is the only one, in a process of its own."""
    syntax = dataset.file_meta.TransferSyntaxUID
    available = get_decoder(syntax).available_plugins
    only_gdcm = syntax == JPEGExtended12Bit and "gdcm" in available  # Pillow reads no more than 8 bits of these
    plugins = [] if only_gdcm else [name for name in available if name != "gdcm"]
    if plugins:
        dataset.pixel_array_options(decoding_plugin=plugins[0])
        return dataset.pixel_array
    file.seek(0)
    return dicom_isolated.decode(file.read())
