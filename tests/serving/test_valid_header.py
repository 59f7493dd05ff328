"""Headers with invalid values."""

import dicom_files
import numpy as np
import pydicom
import pytest
from masked_film import ALGORITHM, DIGITAL, FILM, MASK, STUDY
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from tfrespam.data.dicom.reader import TOMOSYNTHESIS
from tfrespam.serving.dicom.source import read_source
from tfrespam.serving.dicom.write import Wanted, write_objects

pytest.importorskip("highdicom")


def with_raw(path, tag, vr, value):
    """Set an element of the film to the given bytes, valid or not."""
    made = pydicom.dcmread(path)
    value += b" " * (len(value) % 2)
    made[Tag(tag)] = RawDataElement(Tag(tag), vr, len(value), value, 0, False, True)
    made.save_as(path)
    return path


@pytest.mark.parametrize(("keyword", "vr", "value"), [
    ("PatientBirthDate", "DA", b"19500000"), ("PatientBirthDate", "DA", b"00/00/0000"),
    ("StudyDate", "DA", b"20201345"),
    ("StudyTime", "TM", b"10:10:10"), ("StudyTime", "TM", b"noon"), ("PatientSex", "CS", b"Female"),
    ("PatientAge", "AS", b"fifty"), ("PatientWeight", "DS", b"heavy"), ("PatientSize", "DS", b"1.7 m"),
    ("SpecificCharacterSet", "CS", b"Klingon"), ("BodyPartThickness", "DS", b"thick"),
    ("PatientState", "LO", b"x" * 80), ("NumberOfFrames", "IS", b"one")])  # fmt: skip
def test_an_invalid_value_is_removed_and_only_its_name_reported(tmp_path, keyword, vr, value):
    path = with_raw(dicom_files.write(tmp_path / "a.dcm", FILM, **DIGITAL), keyword, vr, value)
    notes = write_objects(path, tmp_path / "a", MASK, MASK * np.float32(0.7), 0.07, ALGORITHM,
                          Wanted(True, True, True))  # fmt: skip
    if vr != "LO":  # too long a text is kept: an archive that has it can hold it
        assert len(notes) == 1 and keyword in notes[0] and value.decode() not in notes[0]
    for ending in ("_seg.dcm", "_probability.dcm", "_sr.dcm"):
        made = pydicom.dcmread(tmp_path / f"a{ending}")
        assert made.PatientID == "P-4711"
        assert vr == "LO" or keyword == "NumberOfFrames" or not made.get(keyword)


@pytest.mark.parametrize(("keyword", "vr", "value", "expected"), [
    ("BodyPartThickness", "DS", b"52,5", "52.5"), ("PatientSex", "CS", b" f", "F"),
    ("PatientWeight", "DS", b"61,0", "61.0")])  # fmt: skip
def test_repairable_values_are_repaired(tmp_path, keyword, vr, value, expected):
    removed = []
    source = read_source(with_raw(dicom_files.write(tmp_path / "a.dcm", FILM, **DIGITAL), keyword, vr, value), removed)
    assert str(source[keyword].value) == expected and removed == []


@pytest.mark.parametrize(("given", "name"), [
    (b"ISO_IR 6", "Doe"), (b"ISO IR 100", "D\u00f6e"), (b"ISO_IR 100", "D\u00f6e"), (b"iso_ir 100", "D\u00f6e"),
    (b"ISO 2022 IR 100", "D\u00f6e")])  # fmt: skip
def test_character_sets_in_other_spellings_are_recognised(tmp_path, given, name):
    path = dicom_files.write(tmp_path / "a.dcm", FILM, **DIGITAL)
    with_raw(with_raw(path, "PatientName", "PN", name.encode("latin-1")), "SpecificCharacterSet", "CS", given)
    notes = write_objects(path, tmp_path / "a", MASK, MASK, 0.07, ALGORITHM, Wanted(seg=True))
    assert notes == () and pydicom.dcmread(tmp_path / "a_seg.dcm").PatientName == name


PLACED = DIGITAL | {"FrameOfReferenceUID": "1.2.3", "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
                    "ImagePositionPatient": [0, 0, 0], "PixelSpacing": [0.07, 0.07]}  # fmt: skip


@pytest.mark.parametrize("lacking", ["", "FrameOfReferenceUID", "ImageOrientationPatient", "ImagePositionPatient",
                                     "PixelSpacing"])  # fmt: skip
def test_complete_and_incomplete_patient_coordinates_are_supported(tmp_path, lacking):
    path = dicom_files.write(tmp_path / "a.dcm", FILM, **{k: v for k, v in PLACED.items() if k != lacking})
    write_objects(path, tmp_path / "a", MASK, MASK, 0.07, ALGORITHM, Wanted(True, True, True))
    made = pydicom.dcmread(tmp_path / "a_seg.dcm")
    assert made.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].SliceThickness == 1
    assert ("FrameOfReferenceUID" in made) or lacking


@pytest.mark.parametrize("place", ["shared", "frame"])
@pytest.mark.parametrize("lacking", ["", "PlaneOrientationSequence", "PlanePositionSequence"])
def test_a_tomosynthesis_object_of_one_frame_keeps_its_frame_of_reference(tmp_path, place, lacking):
    """With a complete position, an incomplete one, and with groups that highdicom expects among the shared ones."""
    measures, orientation, position, shared, frame = (Dataset() for _ in range(5))
    measures.PixelSpacing, measures.SliceThickness = [0.07, 0.07], 1
    orientation.ImageOrientationPatient, position.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [0, 0, 0]
    groups = shared if place == "shared" else frame
    groups.PixelMeasuresSequence, groups.PlaneOrientationSequence = [measures], [orientation]
    frame.PlanePositionSequence = [position]
    for item in (shared, frame):
        for element in [each for each in item if each.keyword == lacking]:
            del item[element.tag]
    path = dicom_files.write(tmp_path / "a.dcm", FILM, **STUDY, SOPClassUID=TOMOSYNTHESIS, NumberOfFrames=1,
                             FrameOfReferenceUID="1.2.9", SharedFunctionalGroupsSequence=[shared],
                             PerFrameFunctionalGroupsSequence=[frame])  # fmt: skip
    write_objects(path, tmp_path / "a", MASK, MASK * np.float32(0.7), 0.07, ALGORITHM, Wanted(True, True, True))
    made = pydicom.dcmread(tmp_path / "a_seg.dcm")
    assert made.FrameOfReferenceUID == "1.2.9" and (tmp_path / "a_sr.dcm").exists()
    shared, frame = made.SharedFunctionalGroupsSequence[0], made.PerFrameFunctionalGroupsSequence[0]
    assert list(shared.PixelMeasuresSequence[0].PixelSpacing) == [0.07, 0.07]
    assert ("PlaneOrientationSequence" in shared) == ("PlanePositionSequence" in frame) == (not lacking)
