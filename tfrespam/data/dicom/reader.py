"""Read one mammogram from a DICOM file: grey levels, spacing, laterality and view.

All uncompressed transfer syntaxes, RLE and JPEG 2000 are read; JPEG, JPEG-LS and JPEG Lossless with the extra
`[dicom-jpeg]`. Elements that identify the patient are never logged or quoted in messages.
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
import pydicom.filereader
from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.pixels import get_decoder
from pydicom.uid import JPEGExtended12Bit

from tfrespam.core.errors import UserError, extra
from tfrespam.core.shared_context import shared_context
from tfrespam.data.dicom import isolated as dicom_isolated
from tfrespam.data.dicom.bits import padding_of, stored_bits
from tfrespam.data.dicom.complete import complete
from tfrespam.data.dicom.functional_groups import merged
from tfrespam.data.dicom.greys import displayed
from tfrespam.data.dicom.header import is_crop_file, laterality, spacing_mm, view, whole_breast
from tfrespam.data.dicom.sniff import BYTES, is_bare
from tfrespam.data.dicom.values import whole, word

LOGGER = logging.getLogger("pydicom")
MAX_PIXELS = 1 << 26  # 67 million, as in the exported graph; a film digitised at 42 um has about 25 million
MAX_INFLATED = 2 * MAX_PIXELS + (16 << 20)  # bytes
DEFLATED, PLAIN = b"1.2.840.10008.1.2.1.99", b"1.2.840.10008.1.2.1".ljust(22, b"\0")
TOMOSYNTHESIS = "1.2.840.10008.5.1.4.1.1.13.1.3"
HEADER_TAGS = ["SeriesInstanceUID", "StudyInstanceUID", "PatientID", "SeriesDescription", "InstanceNumber"]


@dataclasses.dataclass(frozen=True)
class DicomImage:
    """Mammogram for display or for a network."""

    pixels: np.ndarray  # (H, W) uint16 over the full range, bright = dense
    spacing_mm: float  # size of a pixel in the breast; NaN if unknown or unreliable
    laterality: str  # LEFT, RIGHT or ""
    view: str  # CC, MLO, another view of CID 4014, or ""
    photometric: str  # as stored: MONOCHROME1 or MONOCHROME2
    sop_class: str  # its UID
    notes: tuple[str, ...] = ()  # assumptions about an unusual or incomplete header
    whole_breast: bool | None = None  # whether the header says that this is a whole film (True) or a crop (False)
    crop_file: bool = False  # whether it is one of CBIS-DDSM's crops

    @property
    def inverted(self) -> bool:
        """True if the file stores the film dark on bright; `pixels` is bright on dark."""
        return self.photometric == "MONOCHROME1"


def read_dicom(source: str | os.PathLike | bytes) -> DicomImage:
    """Read one single-frame, monochrome image from a path or from the bytes of a file.

    Raises UserError for all other files: not DICOM, truncated, colour, multi-frame, too large, constant, or with a
    compression without an installed decoder.
    """
    with _guarded():
        dataset, words, notes = _read(source)
        encapsulated = dataset.file_meta.TransferSyntaxUID.is_encapsulated
        greys = displayed(merged(dataset), words, encapsulated)
        return DicomImage(greys.pixels, spacing_mm(dataset), laterality(dataset), view(dataset),
                          word(dataset, "PhotometricInterpretation"), word(dataset, "SOPClassUID"),
                          (*notes, *greys.notes), whole_breast(dataset), is_crop_file(dataset))  # fmt: skip


def read_stored(source: str | os.PathLike | bytes) -> np.ndarray:
    """Read the stored values (H, W) unchanged, for masks. Raises as `read_dicom`."""
    with _guarded():
        dataset, words, _ = _read(source)
        if dataset.file_meta.TransferSyntaxUID.is_encapsulated:
            return words
        return stored_bits(dataset, words, padding_of(dataset, words))[0]


def read_header(path: str | os.PathLike) -> dict[str, str] | None:
    """Read the elements of HEADER_TAGS as text ("" if absent); None if `path` is not a readable DICOM file."""
    try:
        with _guarded():
            dataset = _header(path, HEADER_TAGS)
            return {tag: str(dataset.get(tag, "")).strip() for tag in HEADER_TAGS}
    except UserError:
        return None


def read_class(path: str | os.PathLike) -> str:
    """Read the SOP Class UID of a DICOM file without its pixels; "" if it cannot be read."""
    try:
        with _guarded():
            stated = _meta(path).get("MediaStorageSOPClassUID")
            return str(stated or word(_header(path, ["SOPClassUID"]), "SOPClassUID"))
    except UserError:
        return ""


def _meta(path: str | os.PathLike) -> Dataset:
    """Read the meta header of a file, in a tenth of the time for the whole header; empty if it has none."""
    with open(path, "rb") as file:
        bare = is_bare(file.read(BYTES))
    return Dataset() if bare else pydicom.filereader.read_file_meta_info(path)


def _header(path: str | os.PathLike, keywords: list[str]) -> Dataset:
    """Read some elements of a file, possibly without preamble and meta header, but not its pixels."""
    with open(path, "rb") as file:
        start = file.read(BYTES)
        file.seek(0)
        return pydicom.dcmread(file, stop_before_pixels=True, specific_tags=keywords, force=is_bare(start))


@shared_context
@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence pydicom and warnings, which quote patient data, in all threads while one of them is inside the block."""
    disabled, LOGGER.disabled = LOGGER.disabled, True
    try:
        with warnings.catch_warnings(), disable_value_validation():
            warnings.simplefilter("ignore")
            yield
    finally:
        LOGGER.disabled = disabled


@contextlib.contextmanager
def _guarded() -> Iterator[None]:
    """Apply `quiet`, and convert all errors of damaged files to UserError."""
    try:
        with quiet():
            yield
    except UserError:
        raise
    except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
        raise UserError(f"the file cannot be opened ({error.strerror})") from None
    except InvalidDicomError:
        raise UserError("not a DICOM file: the bytes DICM at offset 128 are missing") from None
    except Exception as error:  # damage makes pydicom raise errors of many types
        raise UserError(f"the DICOM file is damaged or truncated ({type(error).__name__})") from None


def _read(source: str | os.PathLike | bytes) -> tuple[Dataset, np.ndarray, list[str]]:
    """Read the header and the words (H, W), with notes about assumed elements."""
    with io.BytesIO(source) if isinstance(source, bytes) else open(source, "rb") as file:
        start = file.read(1024)
        file.seek(0)
        dataset = pydicom.dcmread(_inflated(file) if DEFLATED in start else file, force=is_bare(start))
        notes = complete(dataset)
        _check_image(dataset)
        return dataset, _decode(dataset, file), notes


def _inflated(file: BinaryIO) -> BinaryIO:
    """Inflate a deflated file to Explicit VR Little Endian with a limit, which pydicom does not have."""
    head = file.read(144)
    if head[132:140] != b"\x02\0\0\0UL\x04\0":
        raise UserError("the DICOM file is damaged: its meta information does not start with its length")
    meta = head + file.read(int.from_bytes(head[140:144], "little"))
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    content = inflater.decompress(file.read(), MAX_INFLATED)
    if inflater.unconsumed_tail:
        raise UserError(f"the DICOM file inflates to more than {MAX_INFLATED >> 20} MB")
    return io.BytesIO(meta.replace(DEFLATED, PLAIN) + content)


def _check_image(dataset: Dataset) -> None:
    rows, columns = int(dataset.Rows), int(dataset.Columns)
    if rows * columns > MAX_PIXELS:
        raise UserError(f"the DICOM file has {rows} x {columns} pixels by its header. Expected at most {MAX_PIXELS} in "
                        "all")  # fmt: skip
    frames = whole(dataset, "NumberOfFrames") or 1
    if frames > 1:
        kind = "tomosynthesis" if dataset.get("SOPClassUID") == TOMOSYNTHESIS else "tomosynthesis or a series?"
        raise UserError(f"expected an image with one frame. Received: NumberOfFrames={frames} "
                        f"({kind}). Extract one frame")  # fmt: skip
    photometric = word(dataset, "PhotometricInterpretation")
    if int(dataset.SamplesPerPixel) != 1 or photometric not in ("MONOCHROME1", "MONOCHROME2"):
        raise UserError(f"expected a grey image. Received: PhotometricInterpretation={photometric!r}")


def _decode(dataset: Dataset, file: BinaryIO) -> np.ndarray:
    syntax = dataset.file_meta.TransferSyntaxUID
    if syntax.is_compressed and not get_decoder(syntax).is_available:
        raise UserError(f"no decoder for {syntax.name} is installed. One is in "
                        f"{extra('dicom-jpeg')}")
    if not syntax.is_encapsulated:
        dataset.pixel_array_options(correct_unused_bits=False)  # `stored_bits` handles more cases than pydicom
    pixels = _compressed(dataset, file) if syntax.is_encapsulated else dataset.pixel_array
    if pixels.ndim != 2 or pixels.dtype.itemsize > 2:
        raise UserError(f"expected one image of 8 or 16 bits. Received: {pixels.shape}, {pixels.dtype}")
    return pixels.astype(pixels.dtype.newbyteorder("="), copy=False)  # big endian files give big endian arrays


def _compressed(dataset: Dataset, file: BinaryIO) -> np.ndarray:
    """Decode with another decoder than GDCM, which damaged files can crash; if it is the only one, in a process."""
    syntax = dataset.file_meta.TransferSyntaxUID
    available = get_decoder(syntax).available_plugins
    only_gdcm = syntax == JPEGExtended12Bit and "gdcm" in available  # Pillow reads no more than 8 bits of these
    plugins = [] if only_gdcm else [name for name in available if name != "gdcm"]
    if plugins:
        dataset.pixel_array_options(decoding_plugin=plugins[0])
        return dataset.pixel_array
    file.seek(0)
    return dicom_isolated.decode(file.read())
