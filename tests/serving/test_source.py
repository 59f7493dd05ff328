"""Header elements that DICOM outputs copy from their source."""

import dicom_files
import numpy as np
import pydicom
import pytest
from masked_film import ALGORITHM, DIGITAL, FILM, MASK, saved
from pydicom.dataset import Dataset

from tfrespam.core.errors import UserError
from tfrespam.serving.dicom.segmentation import segmentation
from tfrespam.serving.dicom.source import Algorithm, read_source
from tfrespam.serving.dicom.write import Wanted, write_objects

pytest.importorskip("highdicom")


@pytest.mark.parametrize(("given", "expected"), [
    (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎"), (["", "ISO 2022 IR 149"], "Hong^Gildong=洪^吉洞"),
    ("", "Doe^Jane")])  # fmt: skip
def test_empty_values_of_the_specific_character_set_are_supported(tmp_path, given, expected):
    """The usual form of Specific Character Set in Japan and Korea."""
    header = DIGITAL | {"SpecificCharacterSet": given, "PatientName": expected}
    path = dicom_files.write(tmp_path / "a.dcm", np.zeros(MASK.shape, np.uint16), **header)
    made = pydicom.dcmread(saved(segmentation(read_source(path), MASK, ALGORITHM), tmp_path / "seg.dcm"))
    assert str(made.PatientName) == expected


def test_a_file_without_uids_is_rejected(tmp_path):
    path = dicom_files.write(tmp_path / "a.dcm", np.zeros((4, 4), np.uint16), PatientName="Doe^Jane")
    with pytest.raises(UserError, match="lacks StudyInstanceUID, SeriesInstanceUID") as caught:
        read_source(path)
    assert "Doe" not in str(caught.value)


def test_threshold_is_that_of_the_model_of_films_or_of_the_user():
    known = {"name": "m", "version": 2, "threshold": 0.5, "film_threshold": 0.9, "sha256": "x"}
    found = [Algorithm.of(known, "s", given, film).threshold
             for given, film in ((None, False), (None, True), (0.3, True))]  # fmt: skip
    assert found == [0.5, 0.9, 0.3]
    unknown = Algorithm.of({}, "served", None)
    assert unknown.name == "served" and unknown.parameters == {"threshold": "unknown", "model_sha256": "unknown"}


def test_a_file_without_preamble_is_accepted_as_source(tmp_path):
    plain = Dataset(dicom_files.dataset(FILM, **DIGITAL))
    pydicom.dcmwrite(tmp_path / "a.dcm", plain, implicit_vr=True, little_endian=True, enforce_file_format=False)
    write_objects(tmp_path / "a.dcm", tmp_path / "a", MASK, MASK, 0.07, ALGORITHM, Wanted(sr=True))
    assert pydicom.dcmread(tmp_path / "a_sr.dcm").StudyInstanceUID == "1.2.3"


def test_two_networks_are_both_named():
    films = Algorithm("films", "tfrespam 0.1.0, model 1", "ab" * 32, 0.2)
    both = films.outlined_by(Algorithm("crops", "tfrespam 0.1.0, model 2", "cd" * 32, 0.5), 0.4)
    assert (both.name, both.version) == ("films + crops", "tfrespam 0.1.0, model 1 + 2")
    assert both.parameters == {"threshold": "0.4", "model_sha256": "ab" * 32 + "+" + "cd" * 32}
    assert both.serial_number == "ab" * 8 + "+" + "cd" * 8
