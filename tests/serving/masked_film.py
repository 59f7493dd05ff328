"""A synthetic film with a known mask, for tests of DICOM objects."""

import dicom_files
import numpy as np

from tfrespam.serving.dicom.source import Algorithm

ALGORITHM = Algorithm("phantom", "tfrespam 0.1.0, model 3", "ab" * 32, 0.4)
STUDY = {"StudyInstanceUID": "1.2.3", "SeriesInstanceUID": "1.2.3.4", "StudyDate": "20240131", "StudyTime": "101112",
         "StudyID": "S1", "PatientID": "P-4711", "PatientName": "Doe^Jane", "AccessionNumber": "A9"}  # fmt: skip
DIGITAL = STUDY | {"SOPClassUID": dicom_files.MAMMOGRAPHY, "ImagerPixelSpacing": [0.07, 0.07], "ImageLaterality": "R",
                   "PatientOrientation": ["P", "L"]}  # fmt: skip


def phantom() -> np.ndarray:
    """Draw an L with a dot, whose rotations and reflections all differ."""
    mask = np.zeros((50, 37), bool)
    mask[5:40, 8:13], mask[35:40, 8:30], mask[3, 33] = True, True, True
    return mask


MASK = phantom()
FILM = np.where(MASK, 3000, 100).astype(np.uint16)


def saved(made, path):
    made.save_as(path)
    return path
