"""Write DICOM segmentations and structured reports."""
