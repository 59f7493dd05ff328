"""Decode pixels in a separate process, because GDCM crashes the process on some damaged files.

`python -m tfrespam.data.dicom.isolated < film.dcm > pixels.npy` is that process.
"""

import io
import subprocess
import sys

import numpy as np

SECONDS = 120


def decode(content: bytes) -> np.ndarray:
    """Decode the stored values (H, W) of a DICOM file with one image. Raises ValueError if that fails."""
    command = [sys.executable, "-m", __name__]
    try:
        answer = subprocess.run(command, input=content, capture_output=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        raise ValueError(f"decoding took more than {SECONDS} s") from None
    if answer.returncode:
        raise ValueError("the decoder failed")
    return np.load(io.BytesIO(answer.stdout), allow_pickle=False)


def main() -> None:
    import pydicom

    pixels = pydicom.dcmread(io.BytesIO(sys.stdin.buffer.read())).pixel_array
    np.save(sys.stdout.buffer, np.asarray(pixels), allow_pickle=False)


if __name__ == "__main__":
    main()
