import math

import pytest
from pydicom.dataset import Dataset

from tfrespam.data.dicom.header import (
    MAMMOGRAPHY,
    SECONDARY_CAPTURE,
    laterality,
    magnification,
    spacing_mm,
    spacings_mm,
    view,
    whole_breast,
)


def header(**elements):
    dataset = Dataset()
    for name, value in {"SOPClassUID": MAMMOGRAPHY[0], **elements}.items():
        setattr(dataset, name, value)
    return dataset


@pytest.mark.parametrize(("elements", "expected"), [
    ({"ImagerPixelSpacing": [0.1, 0.1]}, (0.1, 0.1)),
    ({"ImagerPixelSpacing": [0.1, 0.1], "EstimatedRadiographicMagnificationFactor": 2}, (0.05, 0.05)),
    ({"ImagerPixelSpacing": [0.1, 0.1], "PixelSpacing": [0.07, 0.08]}, (0.07, 0.08)),
    ({"PixelSpacing": [70, 70]}, None),
    ({"PixelSpacing": [0.1, 0.1], "SOPClassUID": SECONDARY_CAPTURE}, None),
    ({"NominalScannedPixelSpacing": [0.05, 0.05], "SOPClassUID": SECONDARY_CAPTURE}, (0.05, 0.05)),
])  # fmt: skip
def test_spacings_in_the_plane_of_the_breast(elements, expected):
    assert spacings_mm(header(**elements)) == expected


def test_spacing_of_pixels_that_are_not_square_is_unknown():
    assert spacing_mm(header(PixelSpacing=[0.07, 0.07])) == 0.07
    assert math.isnan(spacing_mm(header(PixelSpacing=[0.07, 0.08]))) and math.isnan(spacing_mm(header()))


@pytest.mark.parametrize(("elements", "expected"), [
    ({}, 1.0), ({"DistanceSourceToDetector": 660, "DistanceSourceToPatient": 600}, 1.1),
    ({"EstimatedRadiographicMagnificationFactor": 1.8, "DistanceSourceToDetector": 600,
      "DistanceSourceToPatient": 600}, None), ({"EstimatedRadiographicMagnificationFactor": 0.5}, None),
])  # fmt: skip
def test_contradictory_magnification_is_unknown(elements, expected):
    assert magnification(header(**elements)) == expected


def test_side_and_view_are_read_from_several_places():
    assert laterality(header(ImageLaterality="L")) == "LEFT" and laterality(header(Laterality="R")) == "RIGHT"
    assert laterality(header()) == "" and view(header()) == ""
    assert view(header(ViewPosition="MLO")) == view(header(PatientOrientation="MLO")) == "MLO"
    code = Dataset()
    code.CodeValue = "R-10242"
    assert view(header(ViewCodeSequence=[code])) == "CC"


@pytest.mark.parametrize(("elements", "expected"), [
    ({"SeriesDescription": "cropped images"}, False), ({"SeriesDescription": "full mammogram images"}, True),
    ({"PixelSpacing": [0.1, 0.1], "Rows": 2400, "Columns": 1800}, True),
    ({"PixelSpacing": [0.1, 0.1], "Rows": 900, "Columns": 800}, False),
    ({"PixelSpacing": [0.1, 0.1], "Rows": 1200, "Columns": 800}, None), ({"Rows": 2400, "Columns": 1800}, None),
])  # fmt: skip
def test_whole_films_and_crops_are_distinguished_by_description_or_length(elements, expected):
    assert whole_breast(header(**elements)) is expected
