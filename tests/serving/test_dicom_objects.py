"""Segmentation objects and reports, read back by highdicom, dcmtk and dciodvfy where these are installed."""

import re
import shutil
import subprocess
from pathlib import Path

import dicom_files
import numpy as np
import pydicom
import pytest
from pydicom.sr.codedict import codes

from tfrespam.data.dicom import read_dicom
from tfrespam.data.dicom_header import spacing_mm
from tfrespam.errors import UserError
from tfrespam.evaluation.extent import extent
from tfrespam.serving.dicom_out import Wanted, write_objects
from tfrespam.serving.dicom_seg import segmentation
from tfrespam.serving.dicom_source import Algorithm, read_source, uid_for
from tfrespam.serving.dicom_sr import measurement_report

highdicom = pytest.importorskip("highdicom")
ALGORITHM = Algorithm("phantom", "tfrespam 0.1.0, model 3", "ab" * 32, 0.4)
STUDY = {"StudyInstanceUID": "1.2.3", "SeriesInstanceUID": "1.2.3.4", "StudyDate": "20240131", "StudyTime": "101112",
         "StudyID": "S1", "PatientID": "P-4711", "PatientName": "Doe^Jane", "AccessionNumber": "A9"}  # fmt: skip
DIGITAL = STUDY | {"SOPClassUID": dicom_files.MAMMOGRAPHY, "ImagerPixelSpacing": [0.07, 0.07], "ImageLaterality": "R",
                   "PatientOrientation": ["P", "L"]}  # fmt: skip


def phantom() -> np.ndarray:
    """An L with a dot: no two of its turned and mirrored views are equal."""
    mask = np.zeros((50, 37), bool)
    mask[5:40, 8:13], mask[35:40, 8:30], mask[3, 33] = True, True, True
    return mask


MASK = phantom()


@pytest.fixture(params=["digital", "film"])
def film(request, tmp_path) -> Path:
    """A picture whose bright pixels are the phantom: for-presentation MONOCHROME1, or a bare secondary capture."""
    pixels = np.where(MASK, 3000, 100).astype(np.uint16)
    pixels += np.arange(37, dtype=np.uint16)
    if request.param == "digital":
        return dicom_files.write(tmp_path / "a.dcm", 4095 - pixels, PhotometricInterpretation="MONOCHROME1", **DIGITAL)
    return dicom_files.write(tmp_path / "a.dcm", pixels, PatientOrientation="CC", **STUDY)  # as CBIS-DDSM has it


def saved(made, path):
    made.save_as(path)
    return path


def test_mask_lies_on_the_source_in_the_same_orientation(film, tmp_path):
    path = saved(segmentation(read_source(film), MASK, ALGORITHM), tmp_path / "seg.dcm")
    source, read = read_dicom(film), highdicom.seg.segread(path)
    assert (read.Rows, read.Columns, int(read.NumberOfFrames)) == (*source.pixels.shape, 1)
    pixels = read.pixel_array.reshape(read.Rows, read.Columns) > 0
    np.testing.assert_array_equal(pixels, source.pixels > 32768)  # the phantom's own pixels
    uid = pydicom.dcmread(film).SOPInstanceUID
    by_source = read.get_pixels_by_source_instance([uid], combine_segments=True)[0]
    np.testing.assert_array_equal(by_source > 0, MASK)


def test_probabilities_keep_their_values(film, tmp_path):
    probability = np.linspace(0, 1, MASK.size).reshape(MASK.shape).astype(np.float32)
    made = segmentation(read_source(film), probability, ALGORITHM, "FRACTIONAL")
    read = highdicom.seg.segread(saved(made, tmp_path / "seg.dcm"))
    assert read.SegmentationFractionalType == "PROBABILITY" and read.MaximumFractionalValue == 255
    uid = pydicom.dcmread(film).SOPInstanceUID
    values = read.get_pixels_by_source_instance([uid])[0, ..., 0]
    np.testing.assert_allclose(values, probability, atol=0.5 / 255 + 1e-6)


def test_says_what_where_and_by_whom(film):
    made, source = segmentation(read_source(film), MASK, ALGORITHM), pydicom.dcmread(film)
    (segment,) = made.SegmentSequence
    assert highdicom.sr.CodedConcept.from_dataset(segment.SegmentedPropertyTypeCodeSequence[0]) == codes.SCT.Mass
    region = segment.AnatomicRegionSequence[0]
    assert (region.CodeValue, region.CodingSchemeDesignator) == ("76752008", "SCT")
    sides = [side.CodeMeaning for side in region.get("AnatomicRegionModifierSequence", [])]
    assert sides == (["Right"] if source.get("ImageLaterality") else [])
    algorithm = segment.SegmentationAlgorithmIdentificationSequence[0]
    assert (algorithm.AlgorithmName, algorithm.AlgorithmVersion) == ("phantom", "tfrespam 0.1.0, model 3")
    assert "ab" * 32 in algorithm.AlgorithmParameters and "threshold=0.4" in algorithm.AlgorithmParameters
    assert segment.SegmentAlgorithmType == "AUTOMATIC"


def test_belongs_to_the_sources_patient_and_study(film):
    made, source = segmentation(read_source(film), MASK, ALGORITHM), pydicom.dcmread(film)
    for name in STUDY.keys() - {"SeriesInstanceUID"}:
        assert made.get(name) == source.get(name)
    assert made.SeriesInstanceUID != source.SeriesInstanceUID
    (series,) = made.ReferencedSeriesSequence
    assert series.SeriesInstanceUID == source.SeriesInstanceUID
    assert series.ReferencedInstanceSequence[0].ReferencedSOPInstanceUID == source.SOPInstanceUID
    assert made.PatientOrientation == (source.PatientOrientation if source.PatientOrientation != "CC" else "")
    spacing = source.get("ImagerPixelSpacing")
    shared = made.SharedFunctionalGroupsSequence[0]
    measures = shared.PixelMeasuresSequence[0].PixelSpacing if "PixelMeasuresSequence" in shared else None
    assert measures == spacing


def test_a_magnified_picture_has_the_spacing_of_the_breast(tmp_path):
    """As the report and the table have it: Imager Pixel Spacing is measured at the detector."""
    header = DIGITAL | {"ImagerPixelSpacing": [0.1, 0.1], "EstimatedRadiographicMagnificationFactor": 1.8}
    path = dicom_files.write(tmp_path / "a.dcm", np.zeros(MASK.shape, np.uint16), **header)
    shared = segmentation(read_source(path), MASK, ALGORITHM).SharedFunctionalGroupsSequence[0]
    spacing = [float(value) for value in shared.PixelMeasuresSequence[0].PixelSpacing]
    assert spacing == pytest.approx([spacing_mm(read_source(path))] * 2) and spacing == pytest.approx([0.1 / 1.8] * 2)


@pytest.mark.parametrize(("given", "expected"), [
    (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎"), (["", "ISO 2022 IR 149"], "Hong^Gildong=洪^吉洞"),
    ("", "Doe^Jane")])  # fmt: skip
def test_empty_values_of_the_character_set(tmp_path, given, expected):
    """The usual form in Japan and Korea."""
    header = DIGITAL | {"SpecificCharacterSet": given, "PatientName": expected}
    path = dicom_files.write(tmp_path / "a.dcm", np.zeros(MASK.shape, np.uint16), **header)
    made = pydicom.dcmread(saved(segmentation(read_source(path), MASK, ALGORITHM), tmp_path / "seg.dcm"))
    assert str(made.PatientName) == expected


def test_an_empty_mask_has_no_report(film, tmp_path):
    """Nor that of an earlier call, with a lower threshold perhaps."""
    for mask, expected in ((MASK, ["a_seg.dcm", "a_sr.dcm"]), (MASK & False, ["a_seg.dcm"])):
        write_objects(film, tmp_path / "a", mask, mask, extent(mask), 0.07, ALGORITHM, Wanted(sr=True))
        assert sorted(path.name for path in tmp_path.glob("a_*")) == expected


def test_an_empty_mask_is_a_whole_object(film, tmp_path):
    path = saved(segmentation(read_source(film), MASK & False, ALGORITHM), tmp_path / "seg.dcm")
    read = highdicom.seg.segread(path)
    assert int(read.NumberOfFrames) == 1 and not read.pixel_array.any() and read.Rows == 50


def test_the_same_output_has_the_same_uid_and_another_has_another(film):
    source = read_source(film)
    first, again = (segmentation(source, MASK, ALGORITHM).SOPInstanceUID for _ in range(2))
    other = segmentation(source, ~MASK, ALGORITHM).SOPInstanceUID
    assert first == again != other
    assert uid_for(source, ALGORITHM, "x") != uid_for(source, Algorithm("phantom", "v", "cd" * 32, 0.4), "x")


def test_a_mask_of_another_shape_is_refused(film):
    with pytest.raises(UserError, match="source's shape 50 x 37. Received: 37 x 50"):
        segmentation(read_source(film), MASK.T, ALGORITHM)


def test_a_file_without_identity_cannot_be_referred_to(tmp_path):
    path = dicom_files.write(tmp_path / "a.dcm", np.zeros((4, 4), np.uint16), PatientName="Doe^Jane")
    with pytest.raises(UserError, match="lacks StudyInstanceUID, SeriesInstanceUID") as caught:
        read_source(path)
    assert "Doe" not in str(caught.value)


@pytest.mark.parametrize(("spacing", "area_unit", "unit"), [(0.07, "mm2", "mm"), (np.nan, "{pixels}", "{pixels}")])
def test_report_measures_the_segment(film, tmp_path, spacing, area_unit, unit):
    source = read_source(film)
    seg = segmentation(source, MASK, ALGORITHM)
    report = measurement_report(source, seg, *extent(MASK), spacing, ALGORITHM)
    read = highdicom.sr.srread(saved(report, tmp_path / "sr.dcm"))
    assert read.ContentTemplateSequence[0].TemplateIdentifier == "1500"
    (group,) = read.content.get_planar_roi_measurement_groups()
    values = {str(m.name.meaning): (float(m.value), str(m.unit.value)) for m in group.get_measurements()}
    factor = spacing if spacing == spacing else 1.0
    area, diameter = extent(MASK)
    assert values["Area"] == (pytest.approx(area * factor**2, abs=1e-3), area_unit)
    assert values["Long axis"] == (pytest.approx(diameter * factor, abs=1e-3), unit)
    assert group.finding_type == codes.SCT.Mass
    segment = group.referenced_segmentation_frame
    assert (segment.referenced_sop_instance_uid, segment.referenced_segment_numbers) == (seg.SOPInstanceUID, [1])
    assert "ab" * 32 in read.to_json() and "tfrespam 0.1.0, model 3" in read.to_json()


def write_all(film, folder) -> list[Path]:
    everything = Wanted(seg=True, probability=True, sr=True)
    write_objects(film, folder / "a", MASK, MASK * np.float32(0.7), extent(MASK), 0.07, ALGORITHM, everything)
    return sorted(folder.glob("a_*.dcm"))


def test_writes_what_is_wanted(film, tmp_path):
    assert [path.name for path in write_all(film, tmp_path)] == ["a_probability.dcm", "a_seg.dcm", "a_sr.dcm"]
    write_objects(film, tmp_path / "b", MASK, MASK, extent(MASK), 0.07, ALGORITHM, Wanted(seg=True))
    assert [path.name for path in tmp_path.glob("b_*")] == ["b_seg.dcm"]
    assert Wanted().endings == () and Wanted(sr=True).endings == ("_seg.dcm", "_sr.dcm")  # the report refers to it


@pytest.mark.skipif(not shutil.which("dcmdump"), reason="dcmtk is not installed (Debian's package dcmtk)")
def test_dcmtk_reads_the_same(film, tmp_path):
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


def test_thresholds_are_the_models_own_the_films_or_the_users():
    known = {"name": "m", "version": 2, "threshold": 0.5, "film_threshold": 0.9, "sha256": "x"}
    found = [Algorithm.of(known, "s", given, film).threshold
             for given, film in ((None, False), (None, True), (0.3, True))]  # fmt: skip
    assert found == [0.5, 0.9, 0.3]
    unknown = Algorithm.of({}, "served", None)
    assert unknown.name == "served" and unknown.parameters == {"threshold": "unknown", "model_sha256": "unknown"}
