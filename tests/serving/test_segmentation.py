"""DICOM segmentations, read back by highdicom."""

import dicom_files
import numpy as np
import pydicom
import pytest
from masked_film import ALGORITHM, DIGITAL, FILM, MASK, STUDY, saved
from pydicom.sr.codedict import codes

from tfrespam.core.errors import UserError
from tfrespam.data.dicom.header import spacing_mm
from tfrespam.data.dicom.reader import read_dicom
from tfrespam.serving.dicom.segmentation import segmentation
from tfrespam.serving.dicom.source import Algorithm, read_source, uid_for

highdicom = pytest.importorskip("highdicom")


def test_mask_has_the_orientation_of_the_source(film, tmp_path):
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


def test_segment_describes_finding_anatomy_and_algorithm(film):
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


def test_segmentation_belongs_to_patient_and_study_of_the_source(film):
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


def test_spacing_of_a_magnified_image_is_that_of_the_breast(tmp_path):
    """As the report and the table have it: Imager Pixel Spacing is measured at the detector."""
    header = DIGITAL | {"ImagerPixelSpacing": [0.1, 0.1], "EstimatedRadiographicMagnificationFactor": 1.8}
    path = dicom_files.write(tmp_path / "a.dcm", np.zeros(MASK.shape, np.uint16), **header)
    shared = segmentation(read_source(path), MASK, ALGORITHM).SharedFunctionalGroupsSequence[0]
    spacing = [float(value) for value in shared.PixelMeasuresSequence[0].PixelSpacing]
    assert spacing == pytest.approx([spacing_mm(read_source(path))] * 2) and spacing == pytest.approx([0.1 / 1.8] * 2)


def test_an_empty_mask_gives_a_valid_object(film, tmp_path):
    path = saved(segmentation(read_source(film), MASK & False, ALGORITHM), tmp_path / "seg.dcm")
    read = highdicom.seg.segread(path)
    assert int(read.NumberOfFrames) == 1 and not read.pixel_array.any() and read.Rows == 50


def test_uid_depends_only_on_the_content(film):
    source = read_source(film)
    first, again = (segmentation(source, MASK, ALGORITHM).SOPInstanceUID for _ in range(2))
    other = segmentation(source, ~MASK, ALGORITHM).SOPInstanceUID
    assert first == again != other
    assert uid_for(source, ALGORITHM, "x") != uid_for(source, Algorithm("phantom", "v", "cd" * 32, 0.4), "x")


def test_a_mask_of_another_shape_is_refused(film):
    with pytest.raises(UserError, match="source's shape 50 x 37. Received: 37 x 50"):
        segmentation(read_source(film), MASK.T, ALGORITHM)


def test_spacing_is_corrected_if_pixel_spacing_is_measured_at_the_detector(tmp_path):
    spacing = {"PixelSpacing": ["0.0940909"] * 2, "ImagerPixelSpacing": ["0.094090909"] * 2,
               "EstimatedRadiographicMagnificationFactor": "1.8"}  # fmt: skip
    path = dicom_files.write(tmp_path / "a.dcm", FILM, **(DIGITAL | spacing))
    measures = segmentation(read_source(path), MASK, ALGORITHM).SharedFunctionalGroupsSequence[0].PixelMeasuresSequence
    assert [float(each) for each in measures[0].PixelSpacing] == pytest.approx([0.094090909 / 1.8] * 2)


def test_tracking_uids_are_reproducible(film):
    first, again = (segmentation(read_source(film), MASK, ALGORITHM).SegmentSequence[0] for _ in range(2))
    assert first.TrackingUID == again.TrackingUID


def test_each_mass_has_a_tracking_uid_of_its_own_and_a_probability_none(film):
    source, upper, lower = read_source(film), MASK.copy(), MASK.copy()
    upper[25:], lower[:25] = False, False
    uids = {segmentation(source, mask, ALGORITHM).SegmentSequence[0].TrackingUID for mask in (MASK, upper, lower)}
    assert len(uids) == 3
    made = segmentation(source, MASK.astype(np.float32), ALGORITHM, "FRACTIONAL")
    assert "TrackingUID" not in made.SegmentSequence[0]


def test_more_than_255_masses_stay_apart(film, tmp_path):
    numbers = np.zeros(MASK.size, int)
    numbers[: 2 * 300 : 2] = np.arange(1, 301)
    read = highdicom.seg.segread(saved(segmentation(read_source(film), numbers.reshape(MASK.shape), ALGORITHM),
                                       tmp_path / "seg.dcm"))  # fmt: skip
    assert read.number_of_segments == 300
    uid = pydicom.dcmread(film).SOPInstanceUID
    last = read.get_pixels_by_source_instance([uid], segment_numbers=[300])[0, ..., 0]
    np.testing.assert_array_equal(last > 0, numbers.reshape(MASK.shape) == 300)
