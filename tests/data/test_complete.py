"""DICOM files with missing elements: defaults of the standard, or an error that names the element."""

import io

import dicom_files
import numpy as np
import pydicom
import pytest
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from tfrespam.core.errors import UserError
from tfrespam.data.dicom.reader import read_class, read_dicom
from tfrespam.data.dicom.sniff import class_without_image, is_bare, is_dicom

RAMP = np.arange(1000, 1048, dtype=np.uint16).reshape(6, 8)


def content(made, **options):
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, made, **({"enforce_file_format": True} | options))
    return buffer.getvalue()


def bare(implicit=True, little=True):
    made = dicom_files.dataset(RAMP if little else RAMP.byteswap())
    plain = Dataset(made)
    return content(plain, implicit_vr=implicit, little_endian=little, enforce_file_format=False)


def same(image):
    np.testing.assert_array_equal(image.pixels, read_dicom(content(dicom_files.dataset(RAMP))).pixels)


@pytest.mark.parametrize(("implicit", "little"), [(True, True), (False, True), (False, False)])
def test_files_without_preamble_and_meta_header_are_read(implicit, little):
    data = bare(implicit, little)
    assert is_dicom(data[:132]) and is_bare(data[:132])
    image = read_dicom(data)
    same(image)
    assert any("TransferSyntaxUID is absent" in note for note in image.notes)


@pytest.mark.parametrize("start", [b"", b"\x08\0", b"\x89PNG\r\n\x1a\n", b"II*\0\x08\0\0\0", b"plain text, no picture",
                                   b"\x08\x00\x05\x00\xff\xff\xff\xff", b"\0" * 40])  # fmt: skip
def test_other_files_are_not_recognised_as_dicom(start):
    assert not is_dicom(start)


@pytest.mark.parametrize("keyword", ["SamplesPerPixel", "PixelRepresentation", "BitsStored", "BitsAllocated"])
def test_missing_elements_that_follow_from_the_data_are_assumed_with_a_note(keyword):
    made = dicom_files.dataset(RAMP)
    delattr(made, keyword)
    image = read_dicom(content(made))
    same(image)
    assert any(keyword in note for note in image.notes)


@pytest.mark.parametrize("keyword", ["Rows", "Columns", "PhotometricInterpretation"])
def test_missing_elements_that_cannot_be_inferred_are_named_in_the_error(keyword):
    made = dicom_files.dataset(RAMP)
    delattr(made, keyword)
    with pytest.raises(UserError, match=keyword):
        read_dicom(content(made))


@pytest.mark.parametrize("name", [b"monochrome2", b" MONOCHROME2", b"Monochrome2 "])
def test_photometric_interpretation_is_case_insensitive(name):
    made = dicom_files.dataset(RAMP)
    tag = Tag("PhotometricInterpretation")
    made[tag] = RawDataElement(tag, "CS", len(name) + len(name) % 2, name + b" " * (len(name) % 2), 0, False, True)
    same(read_dicom(content(made)))


def test_pixel_data_of_the_wrong_length_are_rejected():
    for elements in ({"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}, {"Rows": 3}):
        with pytest.raises(UserError, match="BitsAllocated is .* bytes for each pixel"):
            read_dicom(content(dicom_files.dataset(RAMP, **elements)))


def test_an_unknown_transfer_syntax_is_reported():
    made = content(dicom_files.dataset(RAMP))
    with pytest.raises(UserError, match="unknown transfer syntax"):
        read_dicom(made.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.99999.1.2.1\0"))


@pytest.mark.parametrize(("uid", "shows"), [
    ("1.2.840.10008.5.1.4.1.1.1.2", True), ("1.2.840.10008.5.1.4.1.1.7", True), ("1.2.3.4", True), ("", True),
    ("1.2.840.10008.5.1.4.1.1.13.1.3", True), ("1.2.840.10008.5.1.4.1.1.88.50", False),
    ("1.2.840.10008.5.1.4.1.1.11.1", False), ("1.2.840.10008.5.1.4.1.1.88.59", False),
    ("1.2.840.10008.5.1.4.1.1.66.4", False), ("1.2.840.10008.5.1.4.1.1.104.1", False), ("1.2.840.10008.1.3.10", False),
])  # fmt: skip
def test_sop_classes_without_an_image_are_recognised(uid, shows):
    assert (class_without_image(uid) == "") == shows


def test_the_class_is_read_from_the_file_and_named_in_the_refusal(tmp_path):
    report = dicom_files.dataset(RAMP, SOPClassUID="1.2.840.10008.5.1.4.1.1.88.50")
    del report.PixelData
    (tmp_path / "a").write_bytes(content(report))
    assert class_without_image(read_class(tmp_path / "a")) == "Mammography CAD SR Storage"
    with pytest.raises(UserError, match="contains no image: its SOP class is Mammography CAD SR Storage"):
        read_dicom(tmp_path / "a")
    (tmp_path / "b").write_bytes(bare())
    assert read_class(tmp_path / "b") == "1.2.840.10008.5.1.4.1.1.7"
    (tmp_path / "c").write_bytes(b"text")
    assert read_class(tmp_path / "c") == read_class(tmp_path / "gone") == ""
