import dicom_files
import numpy as np
import pytest

from tfrespam.data.dicom.isolated import decode


def test_pixels_are_decoded_in_another_process(tmp_path):
    pixels = np.arange(64, dtype=np.uint16).reshape(8, 8)
    np.testing.assert_array_equal(decode(dicom_files.write(tmp_path / "a.dcm", pixels).read_bytes()), pixels)


def test_a_decoder_that_crashes_gives_an_error():
    with pytest.raises(ValueError, match="the decoder failed"):
        decode(b"no DICOM file")
