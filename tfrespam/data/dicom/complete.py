"""Complete headers that lack elements required for decoding, or reject them with the element's name.

Older devices and converters omit elements. Values that follow from the data, or have one usual value, are assumed and
reported; values that determine how the image looks are not.
"""

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from tfrespam.core.errors import UserError
from tfrespam.data.dicom.sniff import class_without_image
from tfrespam.data.dicom.values import whole, word


def complete(dataset: Dataset) -> list[str]:
    """Add missing elements and return notes about them. Raises UserError if an element would have to be guessed."""
    _check_there(dataset)
    notes: list[str] = []
    _transfer_syntax(dataset, notes)
    _set(dataset, "PhotometricInterpretation", word(dataset, "PhotometricInterpretation"))
    if not dataset.PhotometricInterpretation:
        raise UserError("the DICOM file lacks PhotometricInterpretation, so it is unknown whether high values are "
                        "bright or dark")  # fmt: skip
    _assume(dataset, "SamplesPerPixel", 1, range(1, 5), notes)
    _bits_allocated(dataset, notes)
    _assume(dataset, "BitsStored", dataset.BitsAllocated, range(1, dataset.BitsAllocated + 1), notes)
    _assume(dataset, "PixelRepresentation", 0, (0, 1), notes)
    return notes


def _check_there(dataset: Dataset) -> None:
    other = class_without_image(word(dataset, "SOPClassUID"))
    if "PixelData" not in dataset or other:
        raise UserError(f"the DICOM file contains no image{f': its SOP class is {other}' if other else ''}")
    for keyword in ("Rows", "Columns"):
        size = whole(dataset, keyword)
        if size is None:
            raise UserError(f"the DICOM file lacks {keyword}")
        if size < 1:
            raise UserError(f"the DICOM file contains no image: {keyword} is {size}")


def _transfer_syntax(dataset: Dataset, notes: list[str]) -> None:
    """Add a missing transfer syntax as the file was written; for compressed pixels it cannot be determined."""
    if getattr(dataset, "file_meta", None) is None:
        dataset.file_meta = FileMetaDataset()
    syntax = dataset.file_meta.get("TransferSyntaxUID")
    if syntax:
        if not UID(syntax).is_transfer_syntax:
            raise UserError("the DICOM file has an unknown transfer syntax. Received: "
                            f"TransferSyntaxUID={str(syntax)[:64]!r}")  # fmt: skip
        return
    if dataset["PixelData"].is_undefined_length:
        raise UserError("the DICOM file lacks TransferSyntaxUID, which compressed pixels require")
    implicit, little = dataset.original_encoding
    plain = ExplicitVRLittleEndian if little or little is None else ExplicitVRBigEndian
    dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else plain
    notes.append(f"TransferSyntaxUID is absent: {dataset.file_meta.TransferSyntaxUID.name} is assumed")


def _bits_allocated(dataset: Dataset, notes: list[str]) -> None:
    """Check or add Bits Allocated, 8 or 16; for uncompressed pixels it must agree with the length of the data."""
    allocated = whole(dataset, "BitsAllocated")
    pixels = dataset.Rows * dataset.Columns * (whole(dataset, "NumberOfFrames") or 1) * dataset.SamplesPerPixel
    if not dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        held = len(dataset.get_item("PixelData").value or b"") // pixels
        if not allocated and held in (1, 2):
            allocated = 8 * held
            notes.append(f"BitsAllocated is absent: {allocated} is assumed, from the length of the data")
        if allocated in (8, 16) and held >= 2 * allocated // 8:
            raise UserError(f"BitsAllocated is {allocated}, but the DICOM file contains {held} bytes for each pixel")
    if not allocated:
        raise UserError("the DICOM file lacks BitsAllocated")
    _set(dataset, "BitsAllocated", allocated)


def _assume(dataset: Dataset, keyword: str, default: int, possible, notes: list[str]) -> None:
    value = whole(dataset, keyword)
    if value not in possible:
        notes.append(f"{keyword} is {'absent' if value is None else value}: {default} is assumed")
        value = default
    _set(dataset, keyword, value)


def _set(dataset: Dataset, keyword: str, value: int | str) -> None:
    """Set an element unless it already has the value, as most do: pydicom checks and converts what is set."""
    if dataset.get(keyword) != value:
        setattr(dataset, keyword, value)
