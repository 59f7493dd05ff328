"""Average precision of candidate masses (AP50 if the criterion is an IoU of 0.5).

As in COCO (Lin et al., ECCV 2014, doi 10.1007/978-3-319-10602-1_48): the candidates of all images are sorted by score,
best first. Each is matched to the lesion of its image with the largest IoU among those that reach the criterion and are
not matched to a better candidate. A candidate without a match, or a second one of a lesion, is a false positive.
Precision is made monotonically decreasing in recall and averaged at 101 recalls from 0 to 1.
"""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from tfrespam.evaluation.detection import Finding
from tfrespam.evaluation.statistics import patient_draws

RECALLS = np.linspace(0, 1, 101)


def average_precision(findings: Sequence[Finding], patients: Sequence[str], criterion: float = 0.5,
                      overlap: Literal["mask", "box"] = "mask", resamples: int = 1000,
                      seed: int = 0) -> dict[str, Any]:  # fmt: skip
    """Compute average precision with its 95 % interval.

    Args:
        findings: One per image.
        patients: The patient of each image; the interval resamples patients.
        criterion: Lowest IoU of a true positive.
        overlap: Use the IoU of the masks ("mask") or of their bounding boxes ("box").
        resamples: Number of resamples.
        seed: Seed of the resampling.

    Returns:
        {"value", "ci95"}; NaN if no image has a lesion, "ci95" also with fewer than two patients.
    """
    names, owner = np.unique(np.asarray(patients), return_inverse=True)
    lesions = np.bincount(owner, [finding.lesions for finding in findings], len(names))
    rows = [(match.score, patient, hit) for patient, finding in zip(owner, findings, strict=True)
            for match, hit in zip(finding.matches, _hits(finding, criterion, overlap), strict=True)]  # fmt: skip
    rows.sort(key=lambda row: -row[0])
    who, hits = np.array([row[1] for row in rows], int), np.array([row[2] for row in rows], bool)
    draws = patient_draws(len(names), resamples, seed)
    values = np.array([_area(hits, draw[who], draw @ lesions) for draw in draws])
    known = values[~np.isnan(values)]
    interval = np.quantile(known, [0.025, 0.975]).tolist() if known.size else [float("nan")] * 2
    return {"value": _area(hits, np.ones(len(who)), lesions.sum()), "ci95": interval}


def _hits(finding: Finding, criterion: float, overlap: str) -> list[bool]:
    """Return for each match of an image, best first, whether it is a true positive."""
    free, hits = set(range(finding.lesions)), []
    for match in finding.matches:
        ious = match.ious if overlap == "mask" else match.box_ious
        best = max(free, key=lambda lesion: ious[lesion], default=None)  # noqa: B023  used at once
        hits.append(best is not None and ious[best] >= criterion)
        if hits[-1]:
            free.discard(best)
    return hits


def _area(hits: np.ndarray, weights: np.ndarray, lesions: float) -> float:
    """Average precision over `RECALLS`, for candidates in the order of their scores that count `weights` times each."""
    if not lesions:
        return float("nan")
    right, wrong = np.cumsum(weights * hits), np.cumsum(weights * ~hits)
    precision = right / np.maximum(right + wrong, 1e-12)
    falling = np.maximum.accumulate(precision[::-1])[::-1] if len(precision) else precision
    place = np.searchsorted(right / lesions, RECALLS - 1e-9)
    return float(np.where(place < len(falling), np.append(falling, 0.0)[np.minimum(place, len(falling))], 0.0).mean())
