"""How many masses a network finds on whole films, and at the price of how many false alarms (FROC).

A candidate is a connected part of the prediction, scored by its probability; a lesion is a connected part of the
reference. A candidate hits every lesion with which its IoU reaches the criterion; one that hits none is a false
positive, and a lesion hit twice is found once. Lowering the least score that counts gives more of both: sensitivity
at r false positives an image is that of the lowest score at which there are no more (free-response ROC; Bunch et al.
1977, doi 10.1117/12.955926).
"""

from collections.abc import Iterable, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from scipy import ndimage

CRITERIA = (0.1, 0.5)  # IoU
RATES = (0.5, 1.0, 2.0)  # false positives an image
FIELDS = ("film_id", "score", "area_px", "row", "column", "best_iou")
_EIGHT = np.ones((3, 3))  # pixels that touch at a corner hang together
_CHUNK = 100  # resamples at a time


class Candidate(NamedTuple):
    """One connected part of a prediction."""

    score: float  # in [0, 1]
    area_px: int
    centre: tuple[float, float]  # row, column
    ious: tuple[float, ...]  # with each lesion of the image


class Finding(NamedTuple):
    """One image: its lesions and candidates, best first."""

    lesions: int
    candidates: tuple[Candidate, ...]


def find(reference: np.ndarray, probability: np.ndarray, threshold: float = 0.5,
         score: Literal["max", "mean"] = "max") -> Finding:  # fmt: skip
    """Lesions and candidates of one image.

    Args:
        reference: Mask (H, W), bool or 0 and nonzero.
        probability: (H, W), in [0, 1].
        threshold: Least probability that belongs to a candidate.
        score: A candidate's score: the largest or the mean probability of its pixels.
    """
    lesions, count = ndimage.label(np.asarray(reference) != 0, _EIGHT)
    parts, found = ndimage.label(np.asarray(probability) >= threshold, _EIGHT)
    if not found:
        return Finding(count, ())
    # pixels of each part in each lesion; the first row and column are background
    both = np.bincount((parts * (count + 1) + lesions).ravel(), minlength=(found + 1) * (count + 1))
    both = both.reshape(found + 1, count + 1)
    areas, numbers = both.sum(axis=1)[1:], np.arange(1, found + 1)
    ious = both[1:, 1:] / (areas[:, None] + both.sum(axis=0)[1:] - both[1:, 1:])
    scores = (ndimage.maximum if score == "max" else ndimage.mean)(probability, parts, numbers)
    centres = ndimage.center_of_mass(parts > 0, parts, numbers)
    candidates = map(Candidate, map(float, scores), areas.tolist(), centres, map(tuple, ious.tolist()))
    return Finding(count, tuple(sorted(candidates, key=lambda each: (-each.score, each.centre))))


def candidate_rows(names: Iterable[str], findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """One row a candidate, with the keys `FIELDS`, for candidates.csv; `names` are the images'."""
    return [dict(zip(FIELDS, (name, each.score, each.area_px, *(round(place, 1) for place in each.centre),
                              max(each.ious, default=0.0)), strict=True))
            for name, finding in zip(names, findings, strict=True) for each in finding.candidates]  # fmt: skip


def detection_scores(findings: Sequence[Finding], patients: Sequence[str], resamples: int = 2000, seed: int = 0,
                     criteria: Sequence[float] = CRITERIA,
                     rates: Sequence[float] = RATES) -> dict[str, Any]:  # fmt: skip
    """Lesion sensitivity at some rates of false positives, with 95 % intervals.

    Args:
        findings: One an image.
        patients: The patient of each image; the intervals resample patients.
        resamples: Number of resamples.
        seed: Of the resampling.
        criteria: Least IoUs of a hit.
        rates: False positives an image.

    Returns:
        "n_lesions", "n_candidates", and under "iou_<criterion>": "sensitivity" {"fp_<rate>": {"value", "ci95",
        "score"}}, where "score" is the least score that counts there (None when no candidate may), and
        "all_candidates" {"sensitivity", "fp_per_image"}, the end of the curve.
    """
    if len(findings) != len(patients):
        raise ValueError(f"Every image needs a patient. Received: {len(findings)} findings, {len(patients)} patients")
    lesions = sum(finding.lesions for finding in findings)
    result = {"n_lesions": lesions, "n_candidates": sum(len(finding.candidates) for finding in findings)}
    for criterion in criteria:
        curve = _Curve.of(findings, patients, criterion)
        once = np.ones((1, len(curve.images)))
        rows = {}
        for rate in rates:
            value, place = curve.sensitivity(once, rate)
            rows[f"fp_{rate:g}"] = {"value": float(value[0]), "ci95": curve.interval(rate, resamples, seed),
                                    "score": float(curve.levels[place[0]]) if place[0] >= 0 else None}  # fmt: skip
        value, _ = curve.sensitivity(once, np.inf)
        end = {"sensitivity": float(value[0]),
               "fp_per_image": float(curve.false[:, -1].sum() / curve.images.sum()) if len(curve.levels) else 0.0}
        result[f"iou_{criterion:g}"] = {"sensitivity": rows, "all_candidates": end}
    return result


class _Curve(NamedTuple):
    """Counts of each patient when all candidates from each score upwards count."""

    levels: np.ndarray  # (K,) scores that occur, highest first
    found: np.ndarray  # (P, K) lesions
    false: np.ndarray  # (P, K) false positives
    lesions: np.ndarray  # (P,)
    images: np.ndarray  # (P,)

    @classmethod
    def of(cls, findings: Sequence[Finding], patients: Sequence[str], criterion: float) -> "_Curve":
        names, owner = np.unique(np.asarray(patients), return_inverse=True)
        scores = sorted({each.score for finding in findings for each in finding.candidates}, reverse=True)
        place = {score: number for number, score in enumerate(scores)}
        found, false = np.zeros((2, len(names), len(scores)))
        for patient, finding in zip(owner, findings, strict=True):
            left = set(range(finding.lesions))
            for each in finding.candidates:  # best first, so a lesion is found at its best candidate's score
                hits = {lesion for lesion, iou in enumerate(each.ious) if iou >= criterion}
                found[patient, place[each.score]] += len(hits & left)
                false[patient, place[each.score]] += not hits
                left -= hits
        lesions = np.bincount(owner, [finding.lesions for finding in findings], len(names))
        return cls(np.array(scores), found.cumsum(axis=1), false.cumsum(axis=1), lesions,
                   np.bincount(owner, minlength=len(names)))  # fmt: skip

    def sensitivity(self, draws: np.ndarray, rate: float) -> tuple[np.ndarray, np.ndarray]:
        """For `draws` (R, P), how often each patient counts: sensitivity (R,), and the last place in `levels` that
        counts (R,), -1 when none does. NaN where no lesion was drawn.
        """
        place = np.sum(draws @ self.false <= (rate * (draws @ self.images))[:, None], axis=1).astype(int) - 1
        found = np.concatenate([np.zeros((len(draws), 1)), draws @ self.found], axis=1)
        with np.errstate(invalid="ignore"):
            return found[np.arange(len(draws)), place + 1] / (draws @ self.lesions), place

    def interval(self, rate: float, resamples: int, seed: int) -> list[float]:
        count, generator = len(self.images), np.random.default_rng(seed)
        draws = generator.multinomial(count, np.full(count, 1 / count), resamples)
        values = np.concatenate([self.sensitivity(draws[start : start + _CHUNK], rate)[0]
                                 for start in range(0, resamples, _CHUNK)])  # fmt: skip
        known = values[~np.isnan(values)]
        return np.quantile(known, [0.025, 0.975]).tolist() if known.size else [float("nan")] * 2
