"""Segmentation objects and reports as files, read by dcmtk and dciodvfy where these are installed."""

import re
import shutil
import subprocess
from pathlib import Path

import dicom_files
import numpy as np
import pydicom
import pytest
from masked_film import ALGORITHM, DIGITAL, FILM, MASK

from tfrespam.core.errors import UserError
from tfrespam.serving.dicom.write import Wanted, write_objects

highdicom = pytest.importorskip("highdicom")


def test_an_empty_mask_has_no_report(film, tmp_path):
    """A report of an earlier call, for instance with a lower threshold, is removed."""
    for mask, expected in ((MASK, ["a_seg.dcm", "a_sr.dcm"]), (MASK & False, ["a_seg.dcm"])):
        write_objects(film, tmp_path / "a", mask, mask, 0.07, ALGORITHM, Wanted(sr=True))
        assert sorted(path.name for path in tmp_path.glob("a_*")) == expected


def write_all(film, folder) -> list[Path]:
    everything = Wanted(seg=True, probability=True, sr=True)
    write_objects(film, folder / "a", MASK, MASK * np.float32(0.7), 0.07, ALGORITHM, everything)
    return sorted(folder.glob("a_*.dcm"))


def test_the_requested_objects_are_written(film, tmp_path):
    assert [path.name for path in write_all(film, tmp_path)] == ["a_probability.dcm", "a_seg.dcm", "a_sr.dcm"]
    write_objects(film, tmp_path / "b", MASK, MASK, 0.07, ALGORITHM, Wanted(seg=True))
    assert [path.name for path in tmp_path.glob("b_*")] == ["b_seg.dcm"]
    assert Wanted().endings == () and Wanted(sr=True).endings == ("_seg.dcm", "_sr.dcm")  # the report refers to it


@pytest.mark.skipif(not shutil.which("dcmdump"), reason="dcmtk is not installed (Debian's package dcmtk)")
def test_dcmtk_reads_the_same_pixels(film, tmp_path):
    for path in write_all(film, tmp_path):
        said = subprocess.run(["dcmdump", path], capture_output=True, text=True)
        assert said.returncode == 0 and said.stderr == ""
        assert str(pydicom.dcmread(film).SOPInstanceUID) in said.stdout
        if path.name != "a_sr.dcm":
            assert re.search(r"\(0028,0010\) US 50 ", said.stdout) and re.search(r"\(0028,0011\) US 37 ", said.stdout)


@pytest.mark.skipif(not shutil.which("dciodvfy"), reason="dciodvfy is not installed (Debian's package dicom3tools)")
def test_dciodvfy_finds_no_error(film, tmp_path):
    for path in write_all(film, tmp_path):
        said = subprocess.run(["dciodvfy", path], capture_output=True, text=True).stderr
        assert not [line for line in said.splitlines() if line.startswith("Error")], path.name


def test_all_objects_are_written_or_none(tmp_path, monkeypatch):
    path = dicom_files.write(tmp_path / "a.dcm", FILM, **DIGITAL)

    def fails(*_, **__):
        raise AttributeError("'Dataset' object has no attribute 'StudyInstanceUID' of Doe^Jane")

    monkeypatch.setattr(highdicom.sr, "ComprehensiveSR", fails)
    with pytest.raises(UserError, match="AttributeError about StudyInstanceUID") as told:
        write_objects(path, tmp_path / "b", MASK, MASK, 0.07, ALGORITHM, Wanted(True, True, True))
    assert "Doe" not in str(told.value) and [file.name for file in tmp_path.iterdir()] == ["a.dcm"]
