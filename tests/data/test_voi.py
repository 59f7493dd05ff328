import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from tfrespam.data.dicom.voi import Table, modality, presented, window

VALUES = np.array([0.0, 5.0, 10.0])


def header(**elements):
    dataset = Dataset()
    for name, value in elements.items():
        setattr(dataset, name, value)
    return dataset


def table(descriptor, data):
    item = Dataset()
    item.add_new("LUTDescriptor", "US", descriptor)
    item.add_new("LUTData", "US", data)
    return Sequence([item])


@pytest.mark.parametrize(("function", "expected"), [
    ("LINEAR", [0.0, 0.5 + 0.5 / 9, 1.0]), ("LINEAR_EXACT", [0.0, 0.5, 1.0]),
    ("SIGMOID", [1 / (1 + np.e**2), 0.5, 1 / (1 + np.e**-2)]),
])  # fmt: skip
def test_windows_follow_the_formulas_of_the_standard(function, expected):
    np.testing.assert_allclose(window(VALUES, 5, 10, function), expected)


def test_linear_window_of_width_1_is_a_threshold():
    np.testing.assert_array_equal(window(np.array([4.0, 4.5, 5.0]), 5, 1), [0, 0, 1])


def test_rescale_and_lut_give_the_modality_values():
    notes = []
    np.testing.assert_array_equal(modality(header(RescaleSlope=2, RescaleIntercept=-1), VALUES, notes), [-1, 9, 19])
    np.testing.assert_array_equal(modality(header(RescaleSlope=0), VALUES, notes), VALUES)
    assert notes == ["Rescale Slope is 0: 1 is assumed"]
    dataset = header(ModalityLUTSequence=table([3, 4, 16], [7, 8, 9]))
    np.testing.assert_array_equal(modality(dataset, VALUES, notes), [7, 8, 9])  # the ends hold beyond the table


def test_first_value_of_a_table_is_read_with_the_sign_that_fits():
    np.testing.assert_array_equal(Table(65535, np.array([1, 2, 3]))(np.array([-1, 0, 1])), [1, 2, 3])


def test_impossible_windows_are_reported_and_the_next_is_used():
    notes = []
    dataset = header(WindowCenter=[5, 5], WindowWidth=[0, 10])
    np.testing.assert_allclose(presented(dataset, VALUES, notes), window(VALUES, 5, 10))
    assert not notes
    np.testing.assert_array_equal(presented(header(WindowCenter=5, WindowWidth=0), VALUES, notes), VALUES)
    assert "Window Width are invalid" in notes[0]


def test_a_window_that_shows_a_single_grey_is_ignored():
    notes = []
    np.testing.assert_array_equal(presented(header(WindowCenter=1000, WindowWidth=10), VALUES, notes), VALUES)
    assert "a single grey value" in notes[0]
