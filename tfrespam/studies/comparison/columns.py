"""Define the columns of a comparison's tables: header, and function from a row of numbers to a cell."""

import functools
import itertools
import math
from collections.abc import Callable, Mapping
from typing import Any

from tfrespam.studies.comparison.detected import ALARMS, OVERLAPS

UNKNOWN = "–"
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


def _between_seeds(row: Mapping[str, Any]) -> str:
    return UNKNOWN if _unknown(row["dice_seed_sd"]) else f"{100 * row['dice_seed_sd']:.2f} ({row['seeds']})"


def _exceeds_seeds(row: Mapping[str, Any]) -> str:
    if _unknown(row["p_wilcoxon"]):
        return UNKNOWN
    return {None: "one seed", True: "no", False: "yes"}[row["seeds_swallow"]]


def _by_seed(row: Mapping[str, Any]) -> str:
    return UNKNOWN if _unknown(row["p_wilcoxon"]) else " ".join(f"{100 * d:+.2f}" for d in row["behind_best_by_seed"])


SCORES: list[Column] = [
    ("Network", lambda row: row["network"]),
    ("Dice, image mean", lambda row: percent(row["dice"])),
    ("95 %", lambda row: percent_interval(row["dice_low"], row["dice_high"])),
    ("Dice, mean of folds", lambda row: f"{percent(row['dice_fold_mean'])} ({row['folds']})"),
    ("Dice, between seeds", _between_seeds),
    ("mIoU, image mean", lambda row: percent(row["miou"])),
    ("95 %", lambda row: percent_interval(row["miou_low"], row["miou_high"])),
    ("Images seen", lambda row: number(row["images_seen"], "{:,.0f}")),
    ("Published Dice", lambda row: percent(row["published_dice"])),
    ("Published mIoU", lambda row: percent(row["published_miou"])),
    ("Dice, pooled", lambda row: percent(row["dice_pooled"])),
    ("mIoU, pooled", lambda row: percent(row["miou_pooled"])),
    ("IoU, image mean", lambda row: percent(row["iou"])),
    ("Coverage", lambda row: number(row["coverage"])),
    ("Trivial", lambda row: percent(_best_trivial(row))),
    ("Skill", lambda row: number(row["skill"])),
    ("Test images", lambda row: str(row["n_images"])),
    ("Patients", lambda row: str(row["n_patients"])),
    ("Runs", lambda row: f"{row['runs']}/{row['planned']}"),
]
OVERVIEW: list[Column] = [  # narrow, to fit a terminal
    ("Network", lambda row: row["network"]),
    ("Dice,\nimage\nmean", lambda row: percent(row["dice"])),
    ("95 %", lambda row: percent_interval(row["dice_low"], row["dice_high"])),
    ("mIoU,\nimage\nmean", lambda row: percent(row["miou"])),
    ("Published\nDice / mIoU", lambda row: f"{percent(row['published_dice'])} / {percent(row['published_miou'])}"),
    ("Images\nseen", lambda row: number(row["images_seen"], "{:,.0f}")),
    ("Seeds'\nSD", lambda row: percent(row["dice_seed_sd"])),
    ("Skill", lambda row: number(row["skill"])),
    ("p, Holm", lambda row: probability(row.get("p_holm"))),
    ("Runs", lambda row: f"{row['runs']}/{row['planned']}"),
]
RANKS: list[Column] = [
    ("Network", lambda row: row["network"]),
    ("Dice", lambda row: percent(row["shared_dice"])),
    ("Behind the best", lambda row: "best" if _unknown(row["p_wilcoxon"]) else _points(row, "behind_best")),
    ("p", lambda row: probability(row["p_wilcoxon"])),
    ("p, Holm", lambda row: probability(row["p_holm"])),
    ("By seed", _by_seed),
    ("Beyond seeds", _exceeds_seeds),
    ("First, %", lambda row: percent(row["probability_first"], 0)),
    ("Ranks, %", lambda row: " ".join(percent(share, 0) for share in row["ranks"])),
]
FOUND: list[Column] = [
    ("Network", lambda row: row["network"]),
    ("Masses", lambda row: str(row["masses"])),
    *[(f"IoU {overlap},\n{alarms} a film", functools.partial(_found, f"found_iou{overlap}_fp{alarms}"))
      for overlap, alarms in itertools.product(OVERLAPS, ALARMS)],
]  # fmt: skip
LEAKAGE: list[Column] = [
    ("Network", lambda row: row["network"]),
    ("Recipe", lambda row: row["recipe"]),
    ("Honest protocol", lambda row: row["honest_protocol"]),
    ("Seen,\npaper", lambda row: number(row["images_seen_paper"], "{:,.0f}")),
    ("Seen,\nhonest", lambda row: number(row["images_seen_honest"], "{:,.0f}")),
    ("Dice,\npaper", lambda row: percent(row["dice_paper"])),
    ("Dice,\nhonest", lambda row: percent(row["dice_honest"])),
    ("Difference in Dice", lambda row: _points(row, "dice_leakage")),
    ("mIoU, paper", lambda row: percent(row["miou_paper"])),
    ("mIoU, honest", lambda row: percent(row["miou_honest"])),
    ("Difference in mIoU", lambda row: _points(row, "miou_leakage")),
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
