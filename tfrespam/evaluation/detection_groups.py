"""Detection scores by group of films and by size of the mass."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfrespam.evaluation.detection import CRITERIA, Finding

FACTS = ("view", "breast_density", "subtlety", "pathology")  # columns of index.csv that describe the film
SIZES = (0.05, 0.08)  # shares of the image's height; they divide CBIS-DDSM's masses into thirds, approximately
FIELDS = ("group", "value", "films", "lesions", "iou", "fp_per_image_of_all", "found", "fp_per_image")


def group_rows(findings: Sequence[Finding], table: Mapping[str, np.ndarray], scores: Mapping[str, Any],
               height: int) -> list[dict[str, Any]]:  # fmt: skip
    """Compute one row for each group, criterion and rate of false positives.

    The score threshold of a row is the one that gives this rate on all films together, not within the group.

    Args:
        findings: One per image.
        table: Columns of index.csv, one value per image.
        scores: Result of `froc.detection_scores` on the same findings.
        height: Height of the images in pixels.
    """
    rows = []
    for criterion in CRITERIA:
        for rate, cell in scores[f"iou_{criterion:g}"]["sensitivity"].items():
            level = np.inf if cell["score"] is None else cell["score"]
            point = {"iou": criterion, "fp_per_image_of_all": rate.removeprefix("fp_")}
            groups = _groups(findings, table, criterion, level, height)
            rows += [{**group, **point, **counted} for group, counted in groups]
    return rows


def _groups(findings, table, criterion, level, height):
    """Yield (group and value, its counts) for each group."""
    for fact in FACTS:
        values = np.asarray(table.get(fact, np.full(len(findings), "")))
        for value in np.unique(values).tolist():
            chosen = [finding for finding, own in zip(findings, values, strict=True) if own == value]
            yield {"group": fact, "value": value}, _counts(chosen, criterion, level, lambda _: True)
    for low, high in zip((0.0, *SIZES), (*SIZES, np.inf), strict=True):
        of_size = lambda diameter, low=low, high=high: low <= diameter / height < high  # noqa: E731
        name = f"{low:g} to {high:g}" if high < np.inf else f"{low:g} and more"
        counts = _counts(findings, criterion, level, of_size)
        yield {"group": "diameter_over_height", "value": name}, {**counts, "fp_per_image": ""}


def _counts(findings, criterion, level, counts) -> dict[str, Any]:
    """Count films, lesions that satisfy `counts`, the share of them found, and false positives per film.

    Candidates count from the score `level` upwards.
    """
    lesions = found = false = 0
    for finding in findings:
        matches = [match for match in finding.matches if match.score >= level]
        hit = {k for match in matches for k, iou in enumerate(match.ious) if iou >= criterion}
        asked = {k for k, diameter in enumerate(finding.diameters) if counts(diameter)}
        lesions, found = lesions + len(asked), found + len(asked & hit)
        false += sum(all(iou < criterion for iou in match.ious) for match in matches)
    share = found / lesions if lesions else float("nan")
    return {"films": len(findings), "lesions": lesions, "found": share,
            "fp_per_image": false / len(findings) if findings else float("nan")}  # fmt: skip
