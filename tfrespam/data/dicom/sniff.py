"""Recognise DICOM files by their first bytes, and SOP classes without images."""

import struct

from pydicom.datadict import dictionary_has_tag
from pydicom.uid import UID_dictionary
from pydicom.valuerep import VR

BYTES = 132  # number of first bytes that identify a file
_VRS = frozenset(each.value.encode() for each in VR if len(each.value) == 2)


def is_dicom(start: bytes) -> bool:
    """Return whether a file with these first bytes is DICOM, by the prefix DICM or by its first element.

    Older devices write files without preamble and meta header, which begin with an element of group 0002 or 0008.
    """
    return start[128:132] == b"DICM" or is_bare(start)


def is_bare(start: bytes) -> bool:
    """Return whether a file with these first bytes is DICOM without a preamble."""
    if len(start) < 8:
        return False
    return any(_is_element(start, order) for order in "<>")


def _is_element(start: bytes, order: str) -> bool:
    group, element = struct.unpack_from(f"{order}HH", start)
    if group not in (0x0002, 0x0008) or not dictionary_has_tag((group, element)) and element != 0:
        return False
    implicit = order == "<" and struct.unpack_from("<I", start, 4)[0] <= 256
    return start[4:6] in _VRS or implicit


def class_without_image(sop_class: str) -> str:
    """Return the name of a SOP class without images (reports, presentation states, DICOMDIR, ...), else ""."""
    name, kind, *_ = UID_dictionary.get(sop_class, ("", ""))
    return name if kind == "SOP Class" and "Storage" in name and "Image" not in name else ""
