"""Which averages the published pairs of Dice and mIoU are: their forensics beside the same figures, measured.

Reading b (see `published`) says that a pair of foreground Dice and two-class mIoU tells the coverage of the pictures.
Here the coverage is known, so the reading can be tested: the coverage that a measured pair implies must be the measured
one, and the published pairs must imply one that such crops have. Reading a predicts how far the mean foreground IoU
lies above D / (2 - D): measured images tell how far it does.
"""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from tfrespam.comparison.published import TABLE1, foreground_iou, implied_coverage, two_class_miou

MAX_ERROR = 0.02  # of the curve, beyond which measured pairs say nothing about it
WHOLE_FILMS = "DS U-Net"  # judged on whole mammograms: its pair says nothing about crops


def published_pairs() -> list[dict[str, Any]]:
    """Per published row: the excess of its mIoU over D / (2 - D), and the coverage implied by reading b."""
    return [{"network": title, "dice": row.dice, "miou": row.miou, "excess": row.miou - foreground_iou(row.dice),
             "implied_coverage": implied_coverage(*row)} for title, row in TABLE1.items()]  # fmt: skip


def measured_pairs(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Per measured row, what each reading comes to.

    Args:
        rows: Numbers of `tfrespam.comparison.results.Row`.
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
    """What follows from the measured rows, in words."""
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
        return (f"These pictures' coverage lies outside {low:.2f} to {high:.2f}, so they cannot tell the readings "
                "apart (crops with a context of about 1.2 have it).")  # fmt: skip
    if error > MAX_ERROR:
        return ("The curve takes false alarms to be as many as misses, which does not hold for these networks: better "
                "trained ones are needed to tell the readings apart.")  # fmt: skip
    if seen < excess / 2:
        return ("So the published columns are taken to be foreground Dice and two-class mIoU: pictures of such a "
                "coverage give such pairs, while images do not differ enough for reading a.")  # fmt: skip
    return "Pictures of such a coverage give such pairs, but reading a explains the published ones as well."

