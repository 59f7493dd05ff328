"""The tables of a comparison as text cells, whatever they are written as."""

import dataclasses
import functools
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tfrespam.comparison.detected import ALARMS, OVERLAPS

UNKNOWN = "–"


@dataclasses.dataclass(frozen=True)
class Table:
    """A table: its title, what a reader must know about it, and its cells."""

    title: str
    caption: str
    header: list[str]
    body: list[list[str]]


Column = tuple[str, Callable[[Mapping[str, Any]], str]]


def percent(value: float | None, digits: int = 2) -> str:
    return UNKNOWN if _unknown(value) else f"{100 * value:.{digits}f}"


def percent_interval(low: float, high: float) -> str:
    return UNKNOWN if _unknown(low) else f"{100 * low:.2f} to {100 * high:.2f}"


def number(value: float | None, form: str = "{:.3f}") -> str:
    return UNKNOWN if _unknown(value) else form.format(value)


def _unknown(value: float | None) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def probability(value: float | None) -> str:
    return "< 0.001" if not _unknown(value) and value < 0.001 else number(value)


def tables(rows: Sequence[Mapping[str, Any]], leakage: Sequence[Mapping[str, Any]],
           averages: Sequence[Mapping[str, Any]], finding: str) -> list[Table]:  # fmt: skip
    """All tables of a comparison.

    Args:
        rows: `Row.numbers` of `tfrespam.comparison.results`, in the tables' order.
        leakage: `tfrespam.comparison.results.leakage`.
        averages: `tfrespam.comparison.averages.measured_pairs`.
        finding: `tfrespam.comparison.averages.finding`.
    """
    made = []
    for (recipe, protocol), group in itertools.groupby(rows, key=lambda row: (row["recipe"], row["protocol"])):
        group = list(group)
        made.append(_table(f"Scores: {recipe} recipe, protocol {protocol}", _scores_caption(group[0]), SCORES, group))
        standing = [row for row in group if "shared_dice" in row]
        if standing:
            made.append(_table(f"Ranks: {recipe} recipe, protocol {protocol}", _ranks_caption(standing[0]), RANKS,
                               standing))  # fmt: skip
    films = [row for row in rows if "masses" in row]
    if films:
        made.append(_table("Masses found on whole films", FOUND_CAPTION, FOUND, films))
    if leakage:
        made.append(_table("Cost of leakage", LEAKAGE_CAPTION, LEAKAGE, leakage))
    made.append(_table("Parameters and time", COSTS_CAPTION, COSTS, rows))
    return [*made, _table("Which average the published columns are", finding, AVERAGES, averages)]


def overview(rows: Sequence[Mapping[str, Any]], leakage: Sequence[Mapping[str, Any]], finding: str) -> list[Table]:
    """The same for a terminal: what fits into about 100 columns."""
    made = [_table(f"{recipe} recipe, protocol {protocol}", OVERVIEW_CAPTION, OVERVIEW, list(group))
            for (recipe, protocol), group in itertools.groupby(rows, key=lambda row: (row["recipe"], row["protocol"]))]
    films = [row for row in rows if "masses" in row]
    if films:
        made.append(_table("Masses found on whole films", FOUND_CAPTION, [FOUND[0], *FOUND[4:]], films))
    if leakage:
        made.append(_table("Cost of leakage", "Dice under the paper's protocol minus that on unseen patients, points",
                           [LEAKAGE[0], LEAKAGE[1], *LEAKAGE[3:6]], leakage))  # fmt: skip
    made.append(_table("Parameters and time", COSTS_CAPTION, [COSTS[0], *COSTS[2:]], rows))
    return [*made, Table("Which average the published columns are", finding, [], [])]


def _table(title: str, caption: str, columns: Sequence[Column], rows: Sequence[Mapping[str, Any]]) -> Table:
    return Table(title, caption, [name for name, _ in columns], [[cell(row) for _, cell in columns] for row in rows])


def _scores_caption(row: Mapping[str, Any]) -> str:
    leak = (" These pictures have copies of the same lesion in training: not a score for new patients."
            if row["protocol"] == "paper" else "")  # fmt: skip
    return (
        f"Data set {row['dataset']}, split {row['split']}. In per cent: Dice of the mass and mIoU, the mean of the IoU "
        "of mass and of background, each as mean over images (with 95 % interval, patients resampled) and pooled over "
        "all pixels; IoU of the mass, mean over images. Published: table 1 of the ResPAM paper, other data and split. "
        "Coverage: median share of a picture that is mass. Trivial: Dice of the best mask drawn without looking. "
        "Skill: share of the way from it to 1. Runs: finished of planned; images of several runs are put together, "
        "those judged more than once count with their mean." + leak)


def _ranks_caption(row: Mapping[str, Any]) -> str:
    return (
        f"On the {row['shared_images']} images that all these networks judged. Behind the best: difference of Dice in "
        "points, 95 % interval by resampled patients. p: Wilcoxon signed-rank test against the best on the patients' "
        "means, and with Holm's correction for these tests; neither that nor the intervals allow for the best having "
        "been chosen on these same images. First: share of the resamples in which the network has the highest Dice; "
        "ranks: the same for rank 1, 2, ... in per cent. Seeds are not resampled: another training may rank otherwise.")


OVERVIEW_CAPTION = (
    "In per cent. Dice of the mass and mIoU (mass and background): means over images, 95 % by resampled patients. "
    "Published: the ResPAM paper's. Coverage: median share of mass. p: Wilcoxon against the best, Holm.")
LEAKAGE_CAPTION = (
    "Mean over images under the paper's protocol (13 copies of every lesion, shuffled, 8:2) minus the same network's "
    "on held-out patients, in points of per cent; 95 % interval by resampling the patients of both, each on its own.")
FOUND_CAPTION = (
    "Share of the masses found, in per cent, at 0.5, 1 and 2 false alarms a film: a candidate finds a mass with an IoU "
    "of at least 0.1, or 0.5. 95 % interval by resampled patients where there is one run.")
COSTS_CAPTION = (
    "Width: factor on all channel counts. FLOPs: one picture's forward pass. Training: seconds of a run's epochs, mean "
    "over the runs. Inference: the exported graph, one picture at a time, median. Times are this machine's, under "
    "whatever else it was doing.")


def _best_trivial(row: Mapping[str, Any]) -> float:
    known = [row[name] for name in ("trivial_all_ones", "trivial_centred_ellipse", "trivial_mean_mask")
             if not _unknown(row[name])]  # fmt: skip
    return max(known, default=float("nan"))


def _points(row: Mapping[str, Any], name: str) -> str:
    return f"{100 * row[name]:+.2f} ({percent_interval(row[f'{name}_low'], row[f'{name}_high'])})"


def _found(name: str, row: Mapping[str, Any]) -> str:
    known = not _unknown(row[f"{name}_low"])
    interval = f" ({100 * row[f'{name}_low']:.0f}–{100 * row[f'{name}_high']:.0f})" if known else ""
    return percent(row[name], 1) + interval


SCORES: list[Column] = [
    ("Network", lambda row: row["network"]),
    ("Dice, image mean", lambda row: percent(row["dice"])),
    ("95 %", lambda row: percent_interval(row["dice_low"], row["dice_high"])),
    ("mIoU, image mean", lambda row: percent(row["miou"])),
    ("95 %", lambda row: percent_interval(row["miou_low"], row["miou_high"])),
    ("Published Dice", lambda row: percent(row["published_dice"])),
    ("Published mIoU", lambda row: percent(row["published_miou"])),
    ("Dice, pooled", lambda row: percent(row["dice_pooled"])),
    ("mIoU, pooled", lambda row: percent(row["miou_pooled"])),
    ("IoU, image mean", lambda row: percent(row["iou"])),
    ("Coverage", lambda row: number(row["coverage"])),
    ("Trivial", lambda row: percent(_best_trivial(row))),
    ("Skill", lambda row: number(row["skill"])),
    ("Images", lambda row: str(row["n_images"])),
    ("Patients", lambda row: str(row["n_patients"])),
    ("Runs", lambda row: f"{row['runs']}/{row['planned']}"),
]
OVERVIEW: list[Column] = [  # narrow headers: it must fit a terminal
    ("Network", lambda row: row["network"]),
    ("Dice,\nimage\nmean", lambda row: percent(row["dice"])),
    ("95 %", lambda row: percent_interval(row["dice_low"], row["dice_high"])),
    ("mIoU,\nimage\nmean", lambda row: percent(row["miou"])),
    ("Published\nDice / mIoU", lambda row: f"{percent(row['published_dice'])} / {percent(row['published_miou'])}"),
    ("Cover-\nage", lambda row: number(row["coverage"], "{:.2f}")),
    ("Skill", lambda row: number(row["skill"])),
    ("p, Holm", lambda row: probability(row.get("p_holm"))),
    ("First,\n%", lambda row: percent(row.get("probability_first"), 0)),
    ("Runs", lambda row: f"{row['runs']}/{row['planned']}"),
]
RANKS: list[Column] = [
    ("Network", lambda row: row["network"]),
    ("Dice", lambda row: percent(row["shared_dice"])),
    ("Behind the best", lambda row: "best" if _unknown(row["p_wilcoxon"]) else _points(row, "behind_best")),
    ("p", lambda row: probability(row["p_wilcoxon"])),
    ("p, Holm", lambda row: probability(row["p_holm"])),
    ("First, %", lambda row: percent(row["probability_first"], 0)),
    ("Ranks, %", lambda row: " ".join(percent(share, 0) for share in row["ranks"])),
]
FOUND: list[Column] = [
    ("Network", lambda row: row["network"]),
    ("Recipe", lambda row: row["recipe"]),
    ("Protocol", lambda row: row["protocol"]),
    ("Masses", lambda row: str(row["masses"])),
    *[(f"IoU {overlap},\n{alarms} a film", functools.partial(_found, f"found_iou{overlap}_fp{alarms}"))
      for overlap, alarms in itertools.product(OVERLAPS, ALARMS)],
]  # fmt: skip
LEAKAGE: list[Column] = [
    ("Network", lambda row: row["network"]),
    ("Recipe", lambda row: row["recipe"]),
    ("Honest protocol", lambda row: row["honest_protocol"]),
    ("Dice, paper", lambda row: percent(row["dice_paper"])),
    ("Dice, honest", lambda row: percent(row["dice_honest"])),
    ("Cost in Dice", lambda row: _points(row, "dice_cost")),
    ("mIoU, paper", lambda row: percent(row["miou_paper"])),
    ("mIoU, honest", lambda row: percent(row["miou_honest"])),
    ("Cost in mIoU", lambda row: _points(row, "miou_cost")),
]
COSTS: list[Column] = [
    ("Network", lambda row: row["network"]),
    ("Recipe", lambda row: row["recipe"]),
    ("Protocol", lambda row: row["protocol"]),
    ("Width", lambda row: f"{row['width']:g}"),
    ("Parameters", lambda row: number(row["parameters"], "{:,}")),
    ("GFLOPs", lambda row: UNKNOWN if _unknown(row["flops"]) else f"{row['flops'] / 1e9:.3g}"),
    ("Epochs", lambda row: str(row["epochs"])),
    ("Training, s", lambda row: number(row["training_seconds"], "{:.0f}")),
    ("Inference, ms", lambda row: UNKNOWN if _unknown(row["inference_seconds"])
     else f"{1000 * row['inference_seconds']:.1f}"),
]  # fmt: skip
AVERAGES: list[Column] = [
    ("Network", lambda row: row["network"]),
    ("Recipe", lambda row: row["recipe"]),
    ("Protocol", lambda row: row["protocol"]),
    ("Coverage, pooled", lambda row: number(row["coverage_pooled"])),
    ("Implied by image means", lambda row: number(row["implied_coverage_image"])),
    ("Implied by pooled", lambda row: number(row["implied_coverage_pooled"])),
    ("Predicted mIoU, pooled", lambda row: percent(row["predicted_miou"])),
    ("mIoU, pooled", lambda row: percent(row["miou_pooled"])),
    ("IoU above D/(2-D)", lambda row: percent(row["excess_image"])),
]
