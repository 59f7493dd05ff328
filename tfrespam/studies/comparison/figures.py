"""Draw the figures of a comparison as small PNG files."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from tfrespam.core.files import whole_file
from tfrespam.studies.comparison.published import TABLE1, foreground_iou, two_class_miou
from tfrespam.studies.comparison.results import Row

DPI = 110
_COVERAGES = (0.25, 0.40)
_PUBLISHED_LABELS = {"Connected-U-Nets": (-78, 6), "SegNet": (-36, -4), "U-Net": (5, -7)}  # offsets of close labels


def draw_all(rows: Sequence[Row], folder: Path, image_folder: Path) -> list[Path]:
    """Draw all figures and return their files.

    Args:
        rows: `tfrespam.studies.comparison.results.rows`.
        folder: The results folder.
        image_folder: Folder for images of films; the results folder only for generated films.
    """
    groups: dict[str, list[Row]] = {}
    rows = [row for row in rows if row.main]  # each network once, on the same images as others
    for row in rows:
        groups.setdefault(f"{row.recipe}, {row.protocol}", []).append(row)
    files = [dice_boxes(groups, folder / "dice_box.png"), loss_curves(groups, folder / "loss_curves.png"),
             dice_against_parameters(groups, folder / "dice_parameters.png"),
             dice_miou_pairs(rows, folder / "dice_miou.png")]  # fmt: skip
    for name, group in groups.items():
        shown = [(row, run) for row in group for run in row.runs
                 if run.probe and (run.folder / "cases.png").exists()]  # fmt: skip
        if shown:
            files.append(case_images(shown, name, image_folder / f"cases-{name.replace(', ', '-')}.png"))
    return files


def dice_boxes(groups: Mapping[str, Sequence[Row]], path: Path) -> Path:
    """Plot the distribution of the images' Dice: boxes of quartiles, whiskers to the 5th and 95th percentile."""
    widest = max(len(group) for group in groups.values())
    figure = Figure(figsize=(len(groups) * (1 + 0.45 * widest), 4), layout="constrained")
    axes = figure.subplots(1, len(groups), squeeze=False, sharey=True)[0]
    for axis, (name, group) in zip(axes, groups.items(), strict=True):
        axis.boxplot([row.scores.columns["dice"] for row in group], whis=(5, 95), showmeans=True,
                     flierprops={"markersize": 2})  # fmt: skip
        axis.set_xticks(range(1, len(group) + 1), [row.title for row in group], rotation=60, ha="right", fontsize=8)
        axis.set(title=name, ylabel="Dice of an image")
        axis.grid(axis="y", alpha=0.3)
    return _save(figure, path)


def dice_against_parameters(groups: Mapping[str, Sequence[Row]], path: Path) -> Path:
    """Plot mean Dice with its interval against the number of parameters."""
    figure = Figure(figsize=(6.5, 4.2), layout="constrained")
    axis = figure.subplots()
    for (name, group), marker in zip(groups.items(), _markers(), strict=False):
        x = [row.numbers["parameters"] for row in group]
        y = np.array([row.numbers["dice"] for row in group])
        ends = np.array([(row.numbers["dice_low"], row.numbers["dice_high"]) for row in group])
        axis.errorbar(x, y, np.abs(ends.T - y), fmt=marker, capsize=2, label=name, alpha=0.8)
    last = {(row.recipe, row.title): (row.numbers["parameters"], row.numbers["dice"])
            for group in groups.values() for row in group}  # fmt: skip
    sizes = [x for x, _ in last.values()]
    matched = max(sizes) < 1.2 * min(sizes)  # on a logarithmic axis all points would be in one column
    axis.set(xscale="linear" if matched else "log", xlabel="parameters",
             ylabel="Dice, mean over images, 95 % by patients")  # fmt: skip
    _label_beside(axis, last)
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8)
    return _save(figure, path)


def loss_curves(groups: Mapping[str, Sequence[Row]], path: Path) -> Path:
    """Plot the loss of the first run of each network; dashed for training, solid for validation."""
    figure = Figure(figsize=(4.2 * len(groups) + 1, 3.4), layout="constrained")
    titles = list(dict.fromkeys(row.title for group in groups.values() for row in group))
    lines = {}  # for the legend: groups may have different networks
    for axis, (name, group) in zip(figure.subplots(1, len(groups), squeeze=False)[0], groups.items(), strict=True):
        for row in group:
            history, colour = row.runs[0].history, f"C{titles.index(row.title) % 10}"
            epochs = [line["epoch"] for line in history]
            axis.plot(epochs, [line["loss"] for line in history], "--", color=colour, lw=0.8)
            lines[row.title], = axis.plot(epochs, [line["val_loss"] for line in history], "-o", ms=2, color=colour)
        axis.set(title=name, xlabel="epoch", ylabel="loss (dashed: training)")
        axis.grid(alpha=0.3)
    figure.legend(lines.values(), lines, fontsize=7, loc="outside right center")
    return _save(figure, path)


def dice_miou_pairs(rows: Sequence[Row], path: Path) -> Path:
    """Plot (Dice, mIoU) of each network under each protocol, together with the published rows.

    The curves are the pairs from pooled counts: two-class mIoU at two coverages, and the IoU of the foreground.
    """
    figure = Figure(figsize=(7, 5.2), layout="constrained")
    axis = figure.subplots()
    low = min([row.numbers["dice"] for row in rows] + [each.dice for each in TABLE1.values()])
    dice = np.linspace(max(low - 0.02, 0), 0.97, 100)
    for coverage, style in zip(_COVERAGES, ("--", "-"), strict=True):
        axis.plot(dice, two_class_miou(dice, coverage), style, color="0.6", lw=1,
                  label=f"two-class mIoU, coverage {coverage:.2f}")  # fmt: skip
    axis.plot(dice, foreground_iou(dice), ":", color="0.6", lw=1, label="IoU of the mass, D/(2-D)")
    axis.plot(*zip(*TABLE1.values(), strict=True), "kx", label="published")
    for title, pair in TABLE1.items():
        axis.annotate(title, pair, fontsize=7, xytext=_PUBLISHED_LABELS.get(title, (5, -8)),
                      textcoords="offset points")  # fmt: skip
    _measured_pairs(axis, rows)
    axis.set(xlabel="Dice of the mass, mean over images", ylabel="mIoU of mass and background, mean over images")
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8)
    return _save(figure, path)


def _measured_pairs(axis, rows: Sequence[Row]) -> None:
    by_name: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        by_name.setdefault((row.recipe, row.title), []).append(row)
    last = {}
    for name, same in by_name.items():  # a line from protocol to protocol
        pairs = [(row.numbers["dice"], row.numbers["miou"]) for row in same]
        axis.plot(*zip(*pairs, strict=True), "-", color="0.8", lw=0.8, zorder=1)
        last[name] = pairs[-1]
    _label_beside(axis, last)
    groups = dict.fromkeys((row.recipe, row.protocol) for row in rows)
    for (recipe, protocol), marker in zip(groups, _markers(), strict=False):
        pairs = [(row.numbers["dice"], row.numbers["miou"]) for row in rows
                 if (row.recipe, row.protocol) == (recipe, protocol)]  # fmt: skip
        axis.plot(*zip(*pairs, strict=True), marker, label=f"{recipe}, {protocol}", alpha=0.8, zorder=2)


def _label_beside(axis, points: Mapping[tuple[str, str], tuple[float, float]]) -> None:
    """Label points in a column right of the axes, in the order of height and with lines, because points are close."""
    axis.autoscale_view()
    heights = (axis.transScale + axis.transLimits).transform(list(points.values()))[:, 1]
    step = min(0.055, 1 / len(points))
    lowest = np.clip(heights.mean() - step * (len(points) - 1) / 2, 0, 1 - step * (len(points) - 1))
    for place, ((_, title), point) in enumerate(sorted(points.items(), key=lambda each: each[1][1])):
        axis.annotate(title, point, xytext=(1.03, lowest + place * step), textcoords="axes fraction", va="center",
                      fontsize=7, color="C0", arrowprops={"arrowstyle": "-", "lw": 0.4, "color": "0.7"})  # fmt: skip


def case_images(shown: Sequence[tuple[Row, Any]], title: str, path: Path) -> Path:
    """Draw image, reference and prediction of each network's best, median and worst case (the paper's figure 5)."""
    import cv2

    images = [cv2.cvtColor(cv2.imread(str(run.folder / "cases.png")), cv2.COLOR_BGR2RGB) for _, run in shown]
    figure = Figure(figsize=(9, 1.15 * len(shown) + 0.4), layout="constrained")
    for line, (row, run), image in zip(figure.subplots(len(shown), 3, squeeze=False), shown, images, strict=True):
        scores = run.probe["cases"]
        for axis, name, panel in zip(line, scores, np.split(image, 3), strict=True):
            axis.imshow(panel)
            axis.set(xticks=[], yticks=[])
            axis.set_xlabel(f"{name}: {scores[name]['dice']:.3f}", fontsize=7)
        line[0].set_ylabel(row.title, fontsize=7)
    figure.suptitle(f"{title}: image | reference | reference and prediction", fontsize=9)
    return _save(figure, path)


def _markers() -> tuple[str, ...]:
    return ("o", "s", "^", "D", "v", "P")


def _save(figure: Figure, path: Path) -> Path:
    with whole_file(path) as temporary:
        figure.savefig(temporary, dpi=DPI, format="png")
    return path
