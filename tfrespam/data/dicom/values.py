"""Read elements of a DICOM header as numbers and words, as leniently as possible without guessing.

Archives contain empty values, decimal commas, and several values instead of one, and pydicom raises errors for some
of them. A value that is not a number is None, not an error: the caller has the default of the element.
"""

import functools
import math
import re
from typing import Any

from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag, Tag

TEXTS = ("AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UR", "UT")
_NUMBER = re.compile(r"[+-]?(\d+[.,]?\d*|[.,]\d+)([eE][+-]?\d+)?", re.ASCII)


def texts(dataset: Dataset, keyword: str) -> list[str]:
    """Return the values of an element as stripped text, [] if it is absent or binary."""
    return _texts(_value(dataset, keyword))


def _value(dataset: Dataset, keyword: str) -> Any:
    """Return the value of an element; a list of strings if it has a text format and was not accessed before."""
    tag = _tag(keyword)
    element = dataset.get_item(tag)
    if element is None or element.value is None:
        return None
    if isinstance(element, RawDataElement) and (element.VR or dictionary_VR(tag)) in TEXTS:
        return element.value.decode("latin-1").split("\\")
    return dataset[tag].value


def _texts(value: Any) -> list[str]:
    if value is None:
        return []
    values = [value] if isinstance(value, (str, bytes)) or not hasattr(value, "__iter__") else list(value)
    return ["" if each is None else str(each).strip(" \0\t\r\n") for each in values if not isinstance(each, bytes)]


@functools.cache
def _tag(keyword: str) -> BaseTag:
    """Look up the tag of a keyword once, because a header is asked for thirty elements."""
    return Tag(keyword)


def words(dataset: Dataset, keyword: str) -> list[str]:
    """Return the nonempty values of a code string in capitals."""
    return [text.upper() for text in texts(dataset, keyword) if text]


def word(dataset: Dataset, keyword: str) -> str:
    """Return the first nonempty value of a code string in capitals, or ""."""
    return next(iter(words(dataset, keyword)), "")


def numbers(dataset: Dataset, keyword: str) -> list[float | None]:
    """Return the values of an element, None for those that are not finite numbers; decimal commas are accepted."""
    value = _value(dataset, keyword)
    if isinstance(value, int):  # most elements that are read, and their text need not be parsed
        return [float(value)]
    return [parsed(text) for text in _texts(value)]


def number(dataset: Dataset, keyword: str) -> float | None:
    """Return the first value of an element that is a number, or None."""
    return next((value for value in numbers(dataset, keyword) if value is not None), None)


def whole(dataset: Dataset, keyword: str) -> int | None:
    """Return the first value of an element that is an integer, or None."""
    return next((int(value) for value in numbers(dataset, keyword) if value is not None and value == int(value)), None)


def parsed(text: str) -> float | None:
    """Parse a number in DICOM's notation or with a decimal comma; None if it is invalid or not finite."""
    if not _NUMBER.fullmatch(text.strip()):
        return None
    value = float(text.strip().replace(",", "."))
    return value if math.isfinite(value) else None
