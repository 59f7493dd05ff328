"""Repair the headers of source files: correct or remove invalid optional elements, and list them.

A birth date that de-identification made invalid should not prevent a segmentation. Values are never quoted, because
they may be patient data.
"""

import re

from pydicom.datadict import keyword_for_tag
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.uid import RE_VALID_UID
from pydicom.valuerep import DA, DT, TM

from tfrespam.data.dicom.functional_groups import GROUPS
from tfrespam.data.dicom.header import spacings_mm
from tfrespam.data.dicom.values import parsed

KEPT = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")  # objects refer to the file by these
PLACE = ("FrameOfReferenceUID", "ImageOrientationPatient", "ImagePositionPatient")
_PLANE = ("PlaneOrientationSequence", "PlanePositionSequence")  # the same in functional groups
LAST_GROUP = 0x0030  # later groups, such as pixel data, are not copied
_SEXES = ("M", "F", "O")
_CODE = re.compile(r"[A-Z0-9 _]{0,16}")
_AGE = re.compile(r"\d{3}[DWMY]", re.ASCII)
_CHARACTERS = re.compile(r"ISO[ _]?(2022[ _]IR|IR)[ _]?(\d+)", re.IGNORECASE)


def repair(source: Dataset) -> list[str]:
    """Correct or remove invalid elements; return the keywords of those that were removed."""
    removed = [] if _name_character_sets(source) else ["SpecificCharacterSet"]
    tags = [tag for tag in list(source.keys()) if tag.group < LAST_GROUP and not tag.is_private]
    for tag in tags:
        try:
            element = source[tag]
            valid = element.keyword in KEPT or _correct(element)
        except Exception:  # pydicom raises errors of many types for values that do not fit their VR
            valid = False
        if not valid:
            removed.append(keyword_for_tag(tag) or str(tag))
            del source[tag]
    _place(source)
    return removed


def _correct(element) -> bool:
    """Correct an element if necessary; return whether it is valid."""
    if element.VR == "SQ":
        for item in element.value:
            _repair_item(item)
        return True
    several = isinstance(element.value, (MultiValue, list))
    values = list(element.value) if several else [element.value]
    corrected = [_corrected(element.VR, value, element.keyword) for value in values]
    if None in corrected:
        return False
    if corrected != values:
        element.value = corrected if several else corrected[0]
    return True


def _repair_item(item: Dataset) -> None:
    """Correct or remove the elements of one item of a sequence; the sequence itself is kept."""
    for tag in list(item.keys()):
        try:
            valid = _correct(item[tag])
        except Exception:
            valid = False
        if not valid:
            del item[tag]


def _corrected(vr: str, value, keyword: str):
    """Return the valid or corrected value; None if a correction would be a guess."""
    if value is None or value == "":
        return value if value is not None else ""
    text = str(value)
    try:
        match vr:
            case "DA":
                return value if DA(text) is not None else None
            case "TM":
                return value if TM(text) is not None and re.fullmatch(r"\d{2,6}(\.\d{1,6})?", text) else None
            case "DT":
                return value if DT(text) is not None else None
            case "DS" | "IS":
                number = parsed(text)
                if number is None or vr == "IS" and number != int(number):
                    return None
                return value if text.replace(",", ".") == text else str(number)
            case "AS":
                return value if _AGE.fullmatch(text) else None
            case "UI":
                return value if re.match(RE_VALID_UID, text) else None
            case "CS":
                code = text.strip().upper()
                known = _CODE.fullmatch(code) and (keyword != "PatientSex" or code in _SEXES)
                return (value if code == text else code) if known else None
    except (ValueError, OverflowError):
        return None
    return value


def _name_character_sets(source: Dataset) -> bool:
    """Convert texts in character sets that highdicom does not support to UTF-8; return whether the sets are valid.

    highdicom supports only some combinations of sets, which Japan and Korea use.
    """
    from highdicom.enum import SpecificCharacterSetValues

    given = source.get("SpecificCharacterSet")
    names = [given] if isinstance(given, str) else list(given or [])
    spelled = [_spelled(name) for name in names]
    known = [name for name in spelled if name]
    if not known or known == ["ISO_IR 6"]:
        source.pop("SpecificCharacterSet", None)
        return len(known) == len([name for name in names if name.strip()])
    alone = {each.value for each in SpecificCharacterSetValues if not each.value.startswith("ISO 2022")}
    if len(names) == 1 and known[0] in alone:
        source.SpecificCharacterSet = known[0]
        return True
    source.SpecificCharacterSet = known if len(names) > 1 else known[0]
    source.decode()
    source.SpecificCharacterSet = "ISO_IR 192"
    return True


def _spelled(name: str) -> str:
    """Return a character set in the standard's spelling, or ""."""
    found = _CHARACTERS.fullmatch(name.strip())
    if not found:
        return name.strip() if name.strip().upper() in ("GB18030", "GBK") else ""
    return f"ISO 2022 IR {found[2]}" if found[1].startswith("2022") else f"ISO_IR {found[2]}"


def _place(source: Dataset) -> None:
    """Set Pixel Spacing to that in the plane of the breast, or remove it if unknown; highdicom copies it.

    An incomplete position in the patient is removed. A missing slice thickness is that of the breast.
    """
    spacing = spacings_mm(source)
    if spacing is None:
        source.pop("PixelSpacing", None)
    else:
        source.PixelSpacing = list(spacing)
        if not source.get("SliceThickness"):
            source.SliceThickness = thickness(source)
    enhanced = GROUPS[0] in source or GROUPS[1] in source
    if enhanced:
        _share_geometry(source)
    if not all(source.get(keyword) for keyword in (*PLACE, "PixelSpacing")):
        for keyword in PLACE[1:] if enhanced else PLACE:  # tomosynthesis always has a frame of reference
            source.pop(keyword, None)
        for groups in (item for name in GROUPS for item in source.get(name) or ()):
            for name in _PLANE:
                groups.pop(name, None)


def _share_geometry(source: Dataset) -> None:
    """Move spacing and orientation of the only frame to the shared groups, where highdicom expects them."""
    shared = (source.get(GROUPS[0]) or [Dataset()])[0]
    for frame in list(source.get(GROUPS[1]) or ())[:1]:
        for name in ("PixelMeasuresSequence", "PlaneOrientationSequence"):
            if name in frame:
                shared[name] = frame[name]
                del frame[name]
    setattr(source, GROUPS[0], [shared])


def thickness(source: Dataset) -> float:
    """Return the thickness of the breast in mm; 1 if unknown, since validators require a value above 0."""
    value = source.get("BodyPartThickness")
    return float(value) if value and float(value) > 0 else 1.0
