import pytest
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from tfrespam.data.dicom import values


def raw(keyword, value, vr="DS"):
    dataset, tag = Dataset(), Tag(keyword)
    dataset[tag] = RawDataElement(tag, vr, len(value), value, 0, False, True)
    return dataset


@pytest.mark.parametrize(("text", "number"), [
    ("1.5", 1.5), (" 1,5 ", 1.5), ("-2e2", -200.0), (".5", 0.5), ("", None), ("1 2", None), ("1e999", None),
    ("\u0661", None),
])  # fmt: skip
def test_numbers_are_read_with_either_decimal_sign(text, number):
    assert values.parsed(text) == number


def test_the_first_valid_of_several_values_is_used():
    dataset = raw("WindowCenter", b"none\\1,5\\2")
    assert values.texts(dataset, "WindowCenter") == ["none", "1,5", "2"]
    assert values.numbers(dataset, "WindowCenter") == [None, 1.5, 2.0]
    assert values.number(dataset, "WindowCenter") == 1.5 and values.whole(dataset, "WindowCenter") == 2


def test_absent_and_empty_elements_give_no_value():
    assert values.texts(Dataset(), "WindowCenter") == [] and values.number(Dataset(), "WindowCenter") is None
    assert values.number(raw("WindowCenter", b""), "WindowCenter") is None
    assert values.word(Dataset(), "Modality") == ""


def test_code_strings_are_upper_case():
    dataset = raw("ImageType", b"derived \\\\secondary", "CS")
    assert values.words(dataset, "ImageType") == ["DERIVED", "SECONDARY"]
    assert values.word(dataset, "ImageType") == "DERIVED"
