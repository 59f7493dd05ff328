"""Merge the functional groups of an enhanced object with one frame (PS3.3 C.7.6.16) into its top level."""

from pydicom.dataset import Dataset

GROUPS = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
NAMES = {"FrameLaterality": "ImageLaterality"}  # other names of the same element
# sources of an image's grey values and sizes; those of the frame replace all others
KEYWORDS = ("WindowCenter", "WindowWidth", "VOILUTFunction", "VOILUTSequence", "RescaleSlope", "RescaleIntercept",
            "RescaleType", "ModalityLUTSequence", "PixelSpacing", "SliceThickness", "PixelSpacingCalibrationType",
            "FrameLaterality", "ViewCodeSequence", "ImageOrientationPatient", "ImagePositionPatient",
            "PixelPaddingValue", "PixelPaddingRangeLimit")  # fmt: skip


def merged(dataset: Dataset) -> Dataset:
    """Return `dataset` with the elements of its frame's groups at the top level; frame groups override shared ones.

    A synthesised 2D mammogram may be a Breast Tomosynthesis object of one frame, whose window, rescale and spacing are
    only in its groups.
    """
    for sequence in GROUPS:
        for item in list(dataset.get(sequence) or [])[:1]:
            for group in item:
                if group.VR == "SQ":
                    for part in list(group.value)[:1]:
                        _take(dataset, part)
    return dataset


def _take(dataset: Dataset, part: Dataset) -> None:
    for keyword in KEYWORDS:
        if keyword in part:
            element = part.get_item(keyword)
            if keyword in NAMES:
                setattr(dataset, NAMES[keyword], part.get(keyword))
            else:
                dataset[element.tag] = element
