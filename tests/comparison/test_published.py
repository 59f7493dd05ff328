import math

import numpy as np
import pytest

from tfrespam.evaluation import confusion
from tfrespam.models import BUILDERS
from tfrespam.studies.comparison.published import (
    LABELS,
    TABLE1,
    foreground_iou,
    implied_coverage,
    order,
    two_class_miou,
)


def test_numbers_are_those_of_the_paper():
    percents = {title: (round(100 * row.dice, 2), round(100 * row.miou, 2)) for title, row in TABLE1.items()}
    assert percents == {
        "DS U-Net": (82.70, 85.70), "AU-Net": (89.03, 82.65), "U-Net": (90.47, 84.79),
        "Connected-U-Nets": (90.66, 85.81), "SegNet": (90.52, 85.30), "Connected-SegNets": (92.86, 87.34),
        "ResPAM U-Net": (94.20, 90.76)}  # fmt: skip
    assert list(LABELS.values())[:7] == list(TABLE1)
    assert set(LABELS) == set(BUILDERS) - {"multi_input", "tiny", "tiny_rival"}


def test_order_is_that_of_the_paper_with_other_networks_last():
    assert sorted(["mine", "ResPAM U-Net", "U-Net", "DS U-Net"], key=order) == [
        "DS U-Net", "U-Net", "ResPAM U-Net", "mine"]  # fmt: skip


@pytest.mark.parametrize("tp, fp, fn, tn", [(30, 5, 5, 60), (400, 20, 20, 560), (7, 3, 3, 1)])
def test_curve_matches_confusion_counts_with_equal_errors(tp, fp, fn, tn):
    counts = confusion.Counts(*map(np.asarray, (tp, fp, fn, tn)))
    dice, coverage = float(confusion.dice(counts)), (tp + fn) / (tp + fp + fn + tn)
    assert foreground_iou(dice) == pytest.approx(float(confusion.iou(counts)))
    assert two_class_miou(dice, coverage) == pytest.approx(float(confusion.miou(counts)))
    assert implied_coverage(dice, two_class_miou(dice, coverage)) == pytest.approx(coverage)


def test_six_published_rows_imply_nearly_the_same_coverage():
    implied = {title: implied_coverage(*row) for title, row in TABLE1.items()}
    assert [round(implied[title], 2) for title in list(TABLE1)[1:]] == [0.42, 0.42, 0.39, 0.40, 0.47, 0.40]
    assert math.isnan(implied["DS U-Net"])


def test_published_miou_is_not_the_foreground_iou_of_the_dice():
    assert all(abs(row.miou - foreground_iou(row.dice)) > 0.006 for row in TABLE1.values())


def test_a_perfect_pair_implies_no_coverage():
    assert math.isnan(implied_coverage(1.0, 1.0))
