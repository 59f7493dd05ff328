import cv2
import dicom_files
import numpy as np
import pytest
from bright_network import Bright
from phantom_dicom import write_film

from tfrespam.studies.demonstration import dicom_objects
from tfrespam.studies.demonstration.study import Study


def test_dicom_segmentations_are_offered_only_if_they_can_be_written(tmp_path, monkeypatch):
    film = write_film(tmp_path / "film.dcm", 64, 48)
    cv2.imwrite(str(tmp_path / "film.png"), np.zeros((8, 8), np.uint8))
    bare = dicom_files.write(tmp_path / "bare.dcm", np.eye(16, dtype=np.uint16))  # belongs to no study
    monkeypatch.setattr(dicom_objects, "available", lambda: True)
    assert Study.read(film).header is not None and dicom_objects.source_header(tmp_path / "film.png") is None
    assert Study.read(bare).header is None and Study.read(bare).pixels.shape == (16, 16)
    monkeypatch.setattr(dicom_objects, "available", lambda: False)
    assert Study.read(film).header is None


def test_a_dicom_segmentation_contains_the_mask(tmp_path):
    highdicom = pytest.importorskip("highdicom")
    study = Study.read(write_film(tmp_path / "film.dcm", 64, 48)).segmented(Bright())
    dicom_objects.write_segmentation(tmp_path / "seg.dcm", study.header, study.mask(0.8),
                                     study.algorithm(Bright(), None, 0.8))  # fmt: skip
    found = highdicom.seg.segread(tmp_path / "seg.dcm")
    assert study.mask(0.8).any() and found.StudyInstanceUID == study.header.StudyInstanceUID
    np.testing.assert_array_equal(found.pixel_array.reshape(64, 48) > 0, study.mask(0.8))
