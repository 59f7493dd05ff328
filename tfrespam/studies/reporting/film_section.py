"""Values of the report's section on whole films: masses found, FROC curve, groups, reliability of scores."""

from collections.abc import Mapping
from typing import Any

from tfrespam.evaluation.candidate_reliability import candidate_counts
from tfrespam.evaluation.detection import CRITERIA
from tfrespam.evaluation.film_scores import RULE, TABLES
from tfrespam.evaluation.froc import OPERATING_RATE, RATES
from tfrespam.evaluation.froc_plot import LEGEND
from tfrespam.studies.comparison.columns import number, percent, percent_interval
from tfrespam.studies.reporting import plots
from tfrespam.studies.reporting.groups import UNKNOWN
from tfrespam.training.run_results import RunResults

GROUPS = {"view": "View", "breast_density": "Breast density", "subtlety": "Subtlety (1 faint, 5 clear)",
          "pathology": "Pathology", "diameter_over_height": "Longest diameter over the image's height"}  # fmt: skip
IOUS = tuple(f"{criterion:g}" for criterion in CRITERIA)  # lowest IoUs of a hit; the table by groups has the first


def film_section(results: RunResults, anchor: str) -> dict[str, Any] | None:
    """Collect the values for the template; None for an evaluation of crops, or without its tables.

    Args:
        results: Results of the model's evaluation.
        anchor: Prefix of the section's anchors.
    """
    detection = results.summary.get("detection")
    if not detection or set(results.films) != set(TABLES):  # earlier releases wrote fewer
        return None
    counts = candidate_counts(results.films["candidates.csv"])
    bins = [(f"{row['from']:.1f} to {row['to']:.1f}", row["pixels"], row["mass"],
             percent(row["mass"] / row["pixels"]) if row["pixels"] else "–") for row in counts.rows()]  # fmt: skip
    return {
        "masses": detection["n_lesions"], "candidates": detection["n_candidates"], "matching": RULE, "legend": LEGEND,
        "found": [_found(detection, iou) for iou in IOUS], "scores": _scores(results.summary, detection),
        "froc": plots.froc(results.films["froc.csv"], detection, anchor), "point": _point(detection),
        "groups": _groups(results.films["detection_groups.csv"]), "rates": [f"{rate:g}" for rate in RATES],
        "bins": bins,
        "reliability": plots.candidate_reliability(counts, anchor), "error": counts.expected_calibration_error(),
    }  # fmt: skip


def _found(detection: Mapping[str, Any], iou: str) -> tuple[str, list[str]]:
    cells = detection[f"iou_{iou}"]["sensitivity"]
    return iou, [_cell(cell) for cell in cells.values()]


def _cell(score: Mapping[str, Any], format=percent) -> str:
    low, high = (float("nan") if end is None else end for end in score["ci95"])
    interval = percent_interval(low, high) if format is percent else f"{number(low)} to {number(high)}"
    return f"{format(score['value'])} ({interval})"


def _scores(summary: Mapping[str, Any], detection: Mapping[str, Any]) -> list[tuple[str, str]]:
    dice = summary["metrics"]["dice"]
    rows = [("Dice of films", _cell({"value": dice["image"], "ci95": dice["image_ci95"]})),
            ("Dice of films with a found mass (IoU of at least 0.1)", percent(detection.get("dice_of_found")))]
    rows += [(f"AP50 of {kind}", _cell(detection[key])) for kind, key in (("masks", "ap50_mask"), ("boxes", "ap50_box"))
             if key in detection]  # fmt: skip
    return rows


def _point(detection: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the operating point: its score, the films it was chosen on, and the results at each IoU; or None."""
    point = detection.get("operating_point")
    if not point:
        return None
    rows = [(iou, _cell(point[f"iou_{iou}"]["sensitivity"]), _cell(point[f"iou_{iou}"]["fp_per_image"], number))
            for iou in IOUS]  # fmt: skip
    return {"score": point["score"], "chosen_on": point["chosen_on"], "rows": rows}


def _groups(rows: list[dict[str, str]]) -> list[tuple[str, list[tuple[str, list[str]]]]]:
    """Return by group title the cells of each value: masses, share found at each rate, false positives per film."""
    by_value: dict[tuple[str, str], dict[str, dict[str, str]]] = {}
    for row in rows:
        if row["iou"] == IOUS[0]:
            by_value.setdefault((row["group"], row["value"]), {})[row["fp_per_image_of_all"]] = row
    return [(title, [(_name(value), _cells(found)) for (own, value), found in by_value.items() if own == group])
            for group, title in GROUPS.items()]  # fmt: skip


def _name(value: str) -> str:
    return UNKNOWN if value in ("", "-1", "nan") else value.replace("_", " ").lower()


def _cells(found: dict[str, dict[str, str]]) -> list[str]:
    false = found[f"{OPERATING_RATE:g}"]["fp_per_image"]
    shares = [percent(_known(found[f"{rate:g}"]["found"])) for rate in RATES]
    return [next(iter(found.values()))["lesions"], *shares, number(_known(false), "{:.2f}")]


def _known(text: str) -> float:
    return float(text) if text else float("nan")
