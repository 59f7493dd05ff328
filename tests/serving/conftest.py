"""Fixtures of this folder."""

from pathlib import Path

import dicom_files
import keras
import numpy as np
import pytest
from drawn_films import Bright
from masked_film import DIGITAL, MASK, STUDY

from tfrespam.evaluation.candidates import CandidateRule
from tfrespam.serving.graph.signatures import export_archive


@pytest.fixture(params=["digital", "film"])
def film(request, tmp_path) -> Path:
    """A film whose bright pixels form a known mask: MONOCHROME1 for presentation, or a bare secondary capture."""
    pixels = np.where(MASK, 3000, 100).astype(np.uint16)
    pixels += np.arange(37, dtype=np.uint16)
    if request.param == "digital":
        return dicom_files.write(tmp_path / "a.dcm", 4095 - pixels, PhotometricInterpretation="MONOCHROME1", **DIGITAL)
    return dicom_files.write(tmp_path / "a.dcm", pixels, PatientOrientation="CC", **STUDY)  # as CBIS-DDSM has it


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """An exported network that segments bright pixels, so that its results are known."""
    image = keras.Input((96, 64, 1))
    path = tmp_path_factory.mktemp("bright") / "1"
    export_archive(keras.Model(image, Bright()(image)), path, (96, 64), 0.5, True, film_threshold=0.5,
                   rule=CandidateRule(0.2))  # fmt: skip
    (path / "metadata.json").write_text('{"data": {"view": "film"}, "film_threshold": 0.5, "candidates": '
                                        '{"threshold": 0.2}}')  # fmt: skip
    return path
