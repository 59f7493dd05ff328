"""Create a DICOM structured report (TID 1500) with the sizes of the masses of a segmentation."""

from collections.abc import Sequence

from pydicom.dataset import Dataset

from tfrespam.serving.dicom.segmentation import side_of
from tfrespam.serving.dicom.source import MANUFACTURER, Algorithm, explained, uid_for


def measurement_report(source: Dataset, seg: Dataset, extents: Sequence[tuple[int, float]], spacing_mm: float,
                       algorithm: Algorithm) -> Dataset:  # fmt: skip
    """Create a report of area and longest diameter of each segment of `seg`, in mm if the spacing is known.

    Args:
        source: Header of the image, from `read_source`.
        seg: Its segmentation, from `segmentation`; not of an empty mask, which is not a finding.
        extents: Area and longest diameter of each segment in pixels; empty segments are omitted.
        spacing_mm: Size of a pixel, NaN if unknown.
        algorithm: The network.

    Raises:
        UserError: The source's header is unsuitable.
    """
    with explained():
        import highdicom

        groups = [_group(source, seg, number, extent, spacing_mm, algorithm)
                  for number, extent in enumerate(extents, 1) if extent[0]]  # fmt: skip
        report = highdicom.sr.MeasurementReport(
            observation_context=_observer(algorithm), imaging_measurements=groups,
            procedure_reported=highdicom.sr.CodedConcept("71651007", "SCT", "Mammography"))  # fmt: skip
        return highdicom.sr.ComprehensiveSR(
            evidence=[source, seg], content=report[0],
            series_instance_uid=uid_for(source, algorithm, "series", "SR"), series_number=9002,
            sop_instance_uid=uid_for(source, algorithm, "SR", seg.SOPInstanceUID), instance_number=1,
            manufacturer=MANUFACTURER, is_complete=True, is_final=False, is_verified=False,
            series_description="Mass: measurements")  # fmt: skip


def _group(source: Dataset, seg: Dataset, number: int, extent: tuple[int, float], spacing_mm: float,
           algorithm: Algorithm):  # fmt: skip
    """Create the measurements of one segment."""
    import highdicom
    from pydicom.sr.codedict import codes

    known, (area, length), segment = spacing_mm > 0, extent, seg.SegmentSequence[number - 1]
    values = ((codes.SCT.Area, area * spacing_mm**2, codes.UCUM.SquareMillimeter),
              (codes.SCT.LongAxis, length * spacing_mm, codes.UCUM.Millimeter))  # fmt: skip
    if not known:
        values = (codes.SCT.Area, area, _pixels()), (codes.SCT.LongAxis, length, _pixels())
    site = highdicom.sr.FindingSite(anatomic_location=codes.SCT.Breast, laterality=side_of(source))
    return highdicom.sr.PlanarROIMeasurementsAndQualitativeEvaluations(
        referenced_segment=_segment(source, seg, number),
        tracking_identifier=highdicom.sr.TrackingIdentifier(uid=segment.TrackingUID, identifier=segment.TrackingID),
        finding_type=codes.SCT.Mass, finding_sites=[site], algorithm_id=_algorithm(algorithm),
        measurements=[highdicom.sr.Measurement(name=name, value=round(float(value), 4), unit=unit)
                      for name, value, unit in values])  # fmt: skip


def _observer(algorithm: Algorithm):
    import highdicom
    from pydicom.sr.codedict import codes

    device = highdicom.sr.DeviceObserverIdentifyingAttributes(
        uid=algorithm.device_uid, name=algorithm.name[:64], manufacturer_name=MANUFACTURER,
        model_name=algorithm.version[:64], serial_number=algorithm.serial_number)  # fmt: skip
    context = highdicom.sr.ObserverContext(observer_type=codes.DCM.Device, observer_identifying_attributes=device)
    return highdicom.sr.ObservationContext(observer_device_context=context)


def _algorithm(algorithm: Algorithm):
    import highdicom

    parameters = [f"{name}={value}" for name, value in algorithm.parameters.items()]
    return highdicom.sr.AlgorithmIdentification(algorithm.name, algorithm.version, parameters)


def _segment(source: Dataset, seg: Dataset, number: int):
    import highdicom

    image = highdicom.sr.SourceImageForSegmentation(source.SOPClassUID, source.SOPInstanceUID)
    made = highdicom.sr.ReferencedSegmentationFrame(
        seg.SOPClassUID, seg.SOPInstanceUID, number, number, source_image=image)  # fmt: skip
    del made[0].ReferencedSOPSequence[0].ReferencedFrameNumber  # PS3.3 table 10-3: either the frame or the segment
    return made


def _pixels():
    import highdicom

    return highdicom.sr.CodedConcept("{pixels}", "UCUM", "pixels")
