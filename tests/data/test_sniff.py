import pytest

from tfrespam.data.dicom.sniff import class_without_image, is_bare, is_dicom


@pytest.mark.parametrize(("start", "dicom", "bare"), [
    (bytes(128) + b"DICM", True, False),
    (b"\x08\x00\x05\x00CS\x0a\x00ISO_IR 100", True, True),  # explicit, little endian
    (b"\x08\x00\x05\x00\x0a\x00\x00\x00ISO_IR 100", True, True),  # implicit
    (b"\x00\x08\x00\x05CS\x00\x0aISO_IR 100", True, True),  # explicit, big endian
    (b"\x89PNG\r\n\x1a\n" + bytes(124), False, False),
    (b"\x08\x00", False, False),
])  # fmt: skip
def test_file_types_are_detected_by_their_first_bytes(start, dicom, bare):
    assert (is_dicom(start), is_bare(start)) == (dicom, bare)


@pytest.mark.parametrize(("sop_class", "name"), [
    ("1.2.840.10008.5.1.4.1.1.88.33", "Comprehensive SR Storage"), ("1.2.840.10008.5.1.4.1.1.1.2", ""), ("1.2.3", ""),
])  # fmt: skip
def test_sop_classes_without_an_image(sop_class, name):
    assert class_without_image(sop_class) == name
