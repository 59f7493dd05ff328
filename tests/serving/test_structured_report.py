"""DICOM reports, read back by highdicom."""

import dataclasses

import dicom_files
import numpy as np
import pydicom
import pytest
from masked_film import ALGORITHM, DIGITAL, FILM, MASK, saved
from pydicom.sr.codedict import codes

from tfrespam.evaluation.extent import extent
from tfrespam.serving.dicom.segmentation import segmentation
from tfrespam.serving.dicom.source import read_source
from tfrespam.serving.dicom.structured_report import measurement_report
from tfrespam.serving.dicom.write import Wanted, write_objects

highdicom = pytest.importorskip("highdicom")


@pytest.mark.parametrize(("spacing", "area_unit", "unit"), [(0.07, "mm2", "mm"), (np.nan, "{pixels}", "{pixels}")])
def test_report_contains_measurements_of_the_segment(film, tmp_path, spacing, area_unit, unit):
    source = read_source(film)
    seg = segmentation(source, MASK, ALGORITHM)
    report = measurement_report(source, seg, [extent(MASK)], spacing, ALGORITHM)
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


def test_the_observer_depends_only_on_the_network(tmp_path):
    def observer(name, algorithm):
        film = dicom_files.write(tmp_path / f"{name}.dcm", FILM, **DIGITAL)
        write_objects(film, tmp_path / name, MASK, MASK, 0.07, algorithm, Wanted(sr=True))
        context = highdicom.sr.srread(tmp_path / f"{name}_sr.dcm").content.get_observer_contexts()
        return context[0].observer_identifying_attributes.uid

    other = dataclasses.replace(ALGORITHM, sha256="cd" * 32)
    uids = [observer("a", ALGORITHM), observer("b", ALGORITHM), observer("c", other)]
    assert uids[0] == uids[1] == ALGORITHM.device_uid and uids[2] == other.device_uid != uids[0]


def test_each_mass_has_a_segment_and_measurements_with_the_same_ids(film, tmp_path):
    numbers = MASK.astype(np.int32)
    numbers[3, 33] = 2  # the dot is a mass of its own
    write_objects(film, tmp_path / "a", numbers, MASK, 0.5, ALGORITHM, Wanted(sr=True))
    seg = highdicom.seg.segread(tmp_path / "a_seg.dcm")
    frames = seg.pixel_array.reshape(-1, *MASK.shape) > 0
    np.testing.assert_array_equal(frames, [numbers == 1, numbers == 2])
    assert [segment.TrackingID for segment in seg.SegmentSequence] == ["Breast mass 1", "Breast mass 2"]
    assert len({tuple(segment.RecommendedDisplayCIELabValue) for segment in seg.SegmentSequence}) == 2
    report = highdicom.sr.srread(tmp_path / "a_sr.dcm")
    groups = report.content.get_planar_roi_measurement_groups()
    assert [group.tracking_uid for group in groups] == [segment.TrackingUID for segment in seg.SegmentSequence]
    assert [group.tracking_identifier for group in groups] == ["Breast mass 1", "Breast mass 2"]
    assert [group.referenced_segmentation_frame.referenced_segment_numbers for group in groups] == [[1], [2]]
    areas = [group.get_measurements(codes.SCT.Area)[0].value for group in groups]
    assert areas == [np.count_nonzero(numbers == 1) * 0.25, 0.25]
    side = [group.finding_sites[0].laterality for group in groups]
    assert side == ([codes.SCT.Right] * 2 if "ImageLaterality" in pydicom.dcmread(film) else [None] * 2)
