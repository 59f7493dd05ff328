from tfrespam.studies.comparison import averages


def test_the_finding_depends_on_the_measured_numbers():
    def measured(dice, miou, iou, coverage):
        numbers = {"recipe": "controlled", "protocol": "folds", "network": "U-Net", "dice": dice, "miou": miou,
                   "iou": iou, "dice_pooled": dice, "miou_pooled": miou, "coverage_pooled": coverage}  # fmt: skip
        return averages.measured_pairs([numbers])

    curve = averages.two_class_miou(0.9, 0.4)
    agrees = averages.finding(measured(0.9, curve, averages.foreground_iou(0.9) + 0.004, 0.4))
    assert "0.39 to 0.47" in agrees and "are taken to be foreground Dice and two-class mIoU" in agrees
    assert "within 0.00 points" in agrees
    both = averages.finding(measured(0.9, curve, averages.foreground_iou(0.9) + 0.03, 0.4))
    assert "reading a explains the published ones as well" in both
    assert "cannot distinguish the readings" in averages.finding(measured(0.9, 0.88, 0.82, 0.2))
