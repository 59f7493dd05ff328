from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from tfrespam.data.dicom.functional_groups import merged


def group(**elements):
    part, item = Dataset(), Dataset()
    for name, value in elements.items():
        setattr(part, name, value)
    item.FrameVOILUTSequence = Sequence([part])
    return Sequence([item])


def test_frame_elements_override_shared_ones_and_move_to_the_top_level():
    dataset = Dataset()
    dataset.WindowCenter = 1
    dataset.SharedFunctionalGroupsSequence = group(WindowCenter=100, WindowWidth=50)
    dataset.PerFrameFunctionalGroupsSequence = group(WindowCenter=200, FrameLaterality="L")
    found = merged(dataset)
    assert (found.WindowCenter, found.WindowWidth, found.ImageLaterality) == (200, 50, "L")


def test_other_elements_are_not_moved():
    dataset = Dataset()
    dataset.PerFrameFunctionalGroupsSequence = group(PatientName="somebody")
    assert "PatientName" not in merged(dataset) and merged(Dataset()) == Dataset()
