"""Read DICOM files: pixels as bright = dense, and header values."""
