import numpy as np
import pydicom

from tfrespam.data.phantom.download import FIELDS, split_of, write_dicom, write_patient


def test_every_fifth_patient_is_on_the_test_list():
    assert [index for index in range(11) if split_of(index) == "test"] == [1, 6]


def test_pixels_and_header_are_written_as_a_mammogram(tmp_path):
    path, pixels = tmp_path / "P_1" / "2.25.1" / "2.25.2" / "000001.dcm", np.arange(15, dtype=np.uint8).reshape(3, 5)
    write_dicom(path, pixels, "cropped images", "RIGHT", "MLO")
    found = pydicom.dcmread(path)
    np.testing.assert_array_equal(found.pixel_array, pixels)
    assert (found.PatientID, found.StudyInstanceUID, found.SeriesInstanceUID) == ("P_1", "2.25.1", "2.25.2")
    assert (found.InstanceNumber, found.SeriesDescription, found.Modality) == (2, "cropped images", "MG")
    assert (found.Laterality, found.PatientOrientation, found.BitsStored) == ("R", "MLO", 8)


def test_patient_depends_on_seed_and_number_alone(tmp_path):
    rows = write_patient(tmp_path / "a", 3, 1)
    assert rows == write_patient(tmp_path / "b", 3, 1)
    assert all(tuple(row) == FIELDS and row["image file path"].startswith("Mass-Test_") for row in rows)
    first = rows[0]["image file path"]
    one, other = (pydicom.dcmread(tmp_path / name / "CBIS-DDSM" / first).pixel_array for name in "ab")
    np.testing.assert_array_equal(one, other)
