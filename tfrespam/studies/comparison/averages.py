"""Find out which averages the published pairs of Dice and mIoU are, by comparison with measured pairs.

In reading b (see `published`) a pair of foreground Dice and two-class mIoU implies the coverage of the images. Here
the coverage is known, so that the reading can be tested: the coverage implied by a measured pair must be the measured
one, and that implied by the published pairs must be usual for such crops. Reading a predicts by how much the mean
foreground IoU exceeds D / (2 - D), which is measured too.
"""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from tfrespam.studies.comparison.published import TABLE1, foreground_iou, implied_coverage, two_class_miou

MAX_ERROR = 0.02  # largest error of the curve at which measured pairs support it
WHOLE_FILMS = "DS U-Net"  # evaluated on whole mammograms, so its pair does not apply to crops


def published_pairs() -> list[dict[str, Any]]:
    """Compute for each published row the excess of its mIoU over D / (2 - D), and the coverage implied by reading b."""
    return [{"network": title, "dice": row.dice, "miou": row.miou, "excess": row.miou - foreground_iou(row.dice),
             "implied_coverage": implied_coverage(*row)} for title, row in TABLE1.items()]  # fmt: skip


def measured_pairs(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Compute for each measured row the values of each reading.

    Args:
        rows: Numbers of `tfrespam.studies.comparison.results.Row`.
    """
    return [{
        "recipe": row["recipe"], "protocol": row["protocol"], "network": row["network"],
        "coverage_pooled": row["coverage_pooled"],
        "excess_image": row["iou"] - foreground_iou(row["dice"]),
        "implied_coverage_image": implied_coverage(row["dice"], row["miou"]),
        "implied_coverage_pooled": implied_coverage(row["dice_pooled"], row["miou_pooled"]),
        "predicted_miou": two_class_miou(row["dice_pooled"], row["coverage_pooled"]),
        "miou_pooled": row["miou_pooled"], "miou_image": row["miou"],
    } for row in rows]  # fmt: skip


def finding(measured: Sequence[Mapping[str, Any]]) -> str:
    """Describe what follows from the measured rows."""
    crops = [row for row in published_pairs() if row["network"] != WHOLE_FILMS]
    low, high = (end(row["implied_coverage"] for row in crops) for end in (min, max))
    excess = statistics.median(row["excess"] for row in crops)
    error = max(abs(row["predicted_miou"] - row["miou_pooled"]) for row in measured)
    between = statistics.median(row["miou_image"] - row["miou_pooled"] for row in measured)
    seen = statistics.median(row["excess_image"] for row in measured)
    coverage = statistics.median(row["coverage_pooled"] for row in measured)
    return (
        f"Published: foreground Dice with the two-class mIoU (reading b) implies a coverage of {low:.2f} to {high:.2f} "
        f"in the six rows on crops; read as means over images of the foreground alone (reading a), the mIoU exceeds "
        f"D/(2-D) by {100 * excess:.1f} points in the median. Measured, at a pooled coverage of {coverage:.2f}: the "
        f"curve of reading b gives the pooled two-class mIoU to within {100 * error:.2f} points, the mean over images "
        f"differs from the pooled one by {100 * between:+.2f} points in the median, and the mean foreground IoU "
        f"exceeds D/(2-D) by {100 * seen:.1f} points in the median. "
        + _verdict(coverage, low, high, seen, excess, error))


def _verdict(coverage: float, low: float, high: float, seen: float, excess: float, error: float) -> str:
    if not low - 0.05 <= coverage <= high + 0.05:
        return (f"The coverage of these images is outside {low:.2f} to {high:.2f}, so they cannot distinguish the "
                "readings (crops with a context of about 1.2 have such a coverage).")  # fmt: skip
    if error > MAX_ERROR:
        return ("The curve assumes as many false positives as false negatives, which does not hold for these networks: "
                "networks with longer training are needed to distinguish the readings.")  # fmt: skip
    if seen < excess / 2:
        return ("The published columns are taken to be foreground Dice and two-class mIoU: images of such a "
                "coverage give such pairs, while images do not differ enough for reading a.")  # fmt: skip
    return "Images of such a coverage give such pairs, but reading a explains the published ones as well."

