"""Plot of the FROC curve, for the report and TensorBoard."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from tfrespam.evaluation.detection import CRITERIA
from tfrespam.evaluation.froc import RATES

LEGEND = ("FROC curve: share of the masses found against false positives per film, for an IoU of at least 0.1 and of "
          "at least 0.5. Bands and bars: 95 % intervals by patients; diamond: the operating point; dotted: all "
          "candidates count already.")  # fmt: skip


def draw_froc(axis: Axes, curve: Sequence[Mapping[str, Any]], detection: Mapping[str, Any],
              colours: Sequence[str]) -> None:  # fmt: skip
    """Draw the curve of each criterion with its intervals, and the operating point.

    Args:
        axis: Axes to draw on.
        curve: Rows of froc.csv, values may be text; rows of earlier releases have no intervals.
        detection: "detection" of summary.json.
        colours: One for each criterion.
    """
    for criterion, colour in zip(CRITERIA, colours, strict=True):
        _draw_curve(axis, curve, f"iou_{criterion:g}", colour)
        _draw_rates(axis, detection[f"iou_{criterion:g}"]["sensitivity"], colour, f"IoU ≥ {criterion:g}")
        _draw_point(axis, detection.get("operating_point"), f"iou_{criterion:g}", colour)
    axis.set(xlabel="false positives per film", ylabel="share of the masses found", xlim=(0, 1.05 * RATES[-1]),
             ylim=(0, 1))  # fmt: skip
    axis.grid(alpha=0.3)
    axis.legend(loc="lower right")


def _draw_curve(axis: Axes, curve: Sequence[Mapping[str, Any]], name: str, colour: str) -> None:
    rate = "fp_per_image" if name == f"iou_{CRITERIA[0]:g}" else f"fp_per_image_{name}"
    if not curve or rate not in curve[0]:
        return
    rates, found = (np.array([0.0, *(_number(row[key]) for row in curve)]) for key in (rate, f"sensitivity_{name}"))
    axis.plot(rates, found, color=colour)
    axis.plot([rates[-1], max(rates[-1], 2 * RATES[-1])], [found[-1]] * 2, ":", color=colour)
    if f"low_{name}" in curve[0]:
        low, high = ([_number(row[f"{end}_{name}"]) for row in curve] for end in ("low", "high"))
        axis.fill_between(rates[1:], low, high, color=colour, alpha=0.2, lw=0)


def _draw_rates(axis: Axes, cells: Mapping[str, Any], colour: str, label: str) -> None:
    rates = [_number(name.removeprefix("fp_")) for name in cells]
    values, low, high = (np.array([_number(value) for value in column]) for column in zip(
        *((cell["value"], *cell["ci95"]) for cell in cells.values()), strict=True))  # fmt: skip
    axis.errorbar(rates, values, np.clip([values - low, high - values], 0, 1), fmt="o", ms=4, lw=1, color=colour,
                  label=label)  # fmt: skip


def _draw_point(axis: Axes, point: Mapping[str, Any] | None, name: str, colour: str) -> None:
    if point:
        place = (_number(point[name][what]["value"]) for what in ("fp_per_image", "sensitivity"))
        label = f"score {point['score']:.3f}" if name == f"iou_{CRITERIA[0]:g}" else None
        axis.plot(*place, "D", color=colour, ms=7, label=label)


def _number(value: Any) -> float:
    """Convert a number or its text to float; None (null in JSON) and "" become NaN."""
    return float("nan") if value in (None, "") else float(value)
