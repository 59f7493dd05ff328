"""Scores of the masses found on whole films: "detection" of summary.json, and its tables."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfrespam.evaluation import candidate_reliability, detection_groups, froc
from tfrespam.evaluation.average_precision import average_precision
from tfrespam.evaluation.candidates import CandidateRule
from tfrespam.evaluation.detection import CRITERIA, FIELDS, Finding, candidate_rows

RULE = ("A lesion is a connected component of the reference, a candidate one of the prediction. A candidate hits every "
        "lesion with which the IoU of the masks is at least 0.1, or 0.5; one that hits none is a false positive. A "
        "lesion that is hit twice is found once, and the second hit is not a false positive. The sensitivity at r "
        "false positives per film is that of the lowest score at which there are no more than r. AP50 is COCO's: a "
        "candidate matches one lesion at an IoU of at least 0.5, and a second hit of a lesion is a false positive.")
TABLES = ("candidates.csv", "froc.csv", "detection_groups.csv")


def film_scores(findings: Sequence[Finding], table: Mapping[str, np.ndarray], dice: Sequence[float],
                rule: CandidateRule, stored_score: float | None,
                height: int) -> tuple[dict[str, Any], dict[str, tuple]]:  # fmt: skip
    """Compute the scores of the masses found.

    Args:
        findings: One per image.
        table: Columns of index.csv, one value per image; film_id and patient_id are required.
        dice: Dice of each image's whole mask.
        rule: Rule that produced the candidates; its least_score is 0, so that the curve covers all scores.
        stored_score: The model's operating point; None: chosen on these images (`OPERATING_RATE`).
        height: Height of the images in pixels.

    Returns:
        "detection" of summary.json; and rows and columns of each of `TABLES`.
    """
    patients, candidates = table["patient_id"], candidate_rows(table["film_id"], findings)
    scores = froc.detection_scores(findings, patients)
    result = {"score": "max", "rule": dataclasses.asdict(rule), "matching": RULE, **scores}
    for overlap in ("mask", "box"):
        result[f"ap50_{overlap}"] = average_precision(findings, patients, 0.5, overlap)
    result["dice_of_found"] = _dice_of_found(findings, dice)
    result["operating_point"] = _operating_point(findings, patients, scores, stored_score)
    result["reliability"] = candidate_reliability.reliability_facts(candidates)
    groups = detection_groups.group_rows(findings, table, scores, height)
    return result, {"candidates.csv": (candidates, FIELDS),
                    "froc.csv": (froc.curve_rows(findings, patients), froc.COLUMNS),
                    "detection_groups.csv": (groups, detection_groups.FIELDS)}  # fmt: skip


def _dice_of_found(findings: Sequence[Finding], dice: Sequence[float]) -> float | None:
    """Mean Dice of the images with a hit; None without one."""
    hit = [score for score, finding in zip(dice, findings, strict=True)
           if any(iou >= CRITERIA[0] for match in finding.matches for iou in match.ious)]  # fmt: skip
    return float(np.mean(hit)) if hit else None


def _operating_point(findings, patients, scores, stored: float | None) -> dict[str, Any] | None:
    """Return the results at the score `stored`, or if None at the score with `OPERATING_RATE`; None without one."""
    own = scores[f"iou_{CRITERIA[0]:g}"]["sensitivity"][f"fp_{froc.OPERATING_RATE:g}"]["score"]
    score = own if stored is None else stored
    if score is None:
        return None
    return {"chosen_on": "these films" if stored is None else "the model's validation films",
            **froc.operating_point(findings, patients, score)}  # fmt: skip
