"""How large a mass is, as a DICOM structured report: TID 1500, measurements that refer to a segmentation."""

import numpy as np
from pydicom.dataset import Dataset

from tfrespam.serving.dicom_source import MANUFACTURER, Algorithm, explained, uid_for


def measurement_report(source: Dataset, seg: Dataset, area_px: int, longest_diameter_px: float, spacing_mm: float,
                       algorithm: Algorithm) -> Dataset:  # fmt: skip
    """A report of the area and the longest diameter of the mask in `seg`, in mm where the spacing is known.

    Args:
        source: Header of the picture, from `read_source`.
        seg: Its segmentation, from `segmentation`; not of an empty mask, which is no finding.
        area_px: Pixels of the mask.
        longest_diameter_px: In pixels.
        spacing_mm: Size of a pixel, NaN when unknown.
        algorithm: The network.

    Raises:
        UserError: The source's header does not allow it.
    """
    with explained():
        import highdicom
        from pydicom.sr.codedict import codes

        known = np.isfinite(spacing_mm)
        area, area_unit = (area_px * spacing_mm**2, codes.UCUM.SquareMillimeter) if known else (area_px, _pixels())
        length, unit = ((longest_diameter_px * spacing_mm, codes.UCUM.Millimeter) if known
                        else (longest_diameter_px, _pixels()))  # fmt: skip
        values = [(codes.SCT.Area, area, area_unit), (codes.SCT.LongAxis, length, unit)]
        group = highdicom.sr.PlanarROIMeasurementsAndQualitativeEvaluations(
            referenced_segment=_segment(source, seg),
            tracking_identifier=highdicom.sr.TrackingIdentifier(
                uid=uid_for(source, algorithm, "tracking"), identifier="Breast mass"),
            finding_type=codes.SCT.Mass,
            finding_sites=[highdicom.sr.FindingSite(anatomic_location=codes.SCT.Breast)],
            algorithm_id=_algorithm(algorithm),
            measurements=[highdicom.sr.Measurement(name=name, value=round(float(value), 4), unit=unit)
                          for name, value, unit in values],
        )  # fmt: skip
        report = highdicom.sr.MeasurementReport(
            observation_context=_observer(source, algorithm), imaging_measurements=[group],
            procedure_reported=highdicom.sr.CodedConcept("71651007", "SCT", "Mammography"))  # fmt: skip
        return highdicom.sr.ComprehensiveSR(
            evidence=[source, seg], content=report[0],
            series_instance_uid=uid_for(source, algorithm, "series", "SR"), series_number=9002,
            sop_instance_uid=uid_for(source, algorithm, "SR", seg.SOPInstanceUID), instance_number=1,
            manufacturer=MANUFACTURER, is_complete=True, is_final=False, is_verified=False,
            series_description="Mass: measurements")  # fmt: skip


def _observer(source: Dataset, algorithm: Algorithm):
    import highdicom
    from pydicom.sr.codedict import codes

    device = highdicom.sr.DeviceObserverIdentifyingAttributes(
        uid=uid_for(source, algorithm, "device"), name=algorithm.name[:64], manufacturer_name=MANUFACTURER,
        model_name=algorithm.version[:64], serial_number=algorithm.serial_number)  # fmt: skip
    context = highdicom.sr.ObserverContext(observer_type=codes.DCM.Device, observer_identifying_attributes=device)
    return highdicom.sr.ObservationContext(observer_device_context=context)


def _algorithm(algorithm: Algorithm):
    import highdicom

    parameters = [f"{name}={value}" for name, value in algorithm.parameters.items()]
    return highdicom.sr.AlgorithmIdentification(algorithm.name, algorithm.version, parameters)


def _segment(source: Dataset, seg: Dataset):
    import highdicom

    image = highdicom.sr.SourceImageForSegmentation(source.SOPClassUID, source.SOPInstanceUID)
    made = highdicom.sr.ReferencedSegmentationFrame(
        seg.SOPClassUID, seg.SOPInstanceUID, frame_number=1, segment_number=1, source_image=image)  # fmt: skip
    del made[0].ReferencedSOPSequence[0].ReferencedFrameNumber  # PS3.3 table 10-3: the frame or the segment, not both
    return made


def _pixels():
    import highdicom

    return highdicom.sr.CodedConcept("{pixels}", "UCUM", "pixels")
