"""Free-response ROC curve (FROC): lesion sensitivity against false positives per image.

A lower score threshold gives more hits and more false positives. Sensitivity at r false positives per image is that of
the lowest threshold with at most r (Bunch et al. 1977, doi 10.1117/12.955926). Hits: `evaluation.detection`.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from tfrespam.evaluation.detection import CRITERIA, Finding
from tfrespam.evaluation.statistics import patient_draws

RATES = (0.25, 0.5, 1.0, 2.0)  # false positives per image
OPERATING_RATE = 0.5  # false positives per image at a model's operating point
COLUMNS = ("score", *(name for criterion in CRITERIA for name in (
    "fp_per_image" if criterion == CRITERIA[0] else f"fp_per_image_iou_{criterion:g}",
    f"sensitivity_iou_{criterion:g}", f"low_iou_{criterion:g}", f"high_iou_{criterion:g}")))  # fmt: skip
_CHUNK = 100  # resamples at a time


def detection_scores(findings: Sequence[Finding], patients: Sequence[str], resamples: int = 2000, seed: int = 0,
                     criteria: Sequence[float] = CRITERIA,
                     rates: Sequence[float] = RATES) -> dict[str, Any]:  # fmt: skip
    """Compute lesion sensitivity at given rates of false positives, with 95 % intervals.

    Args:
        findings: One per image.
        patients: The patient of each image; the intervals resample patients.
        resamples: Number of resamples.
        seed: Seed of the resampling.
        criteria: Lowest IoUs of a hit.
        rates: False positives per image.

    Returns:
        "n_lesions", "n_candidates", and under "iou_<criterion>": "sensitivity" {"fp_<rate>": {"value", "ci95",
        "score"}}, where "score" is the score threshold at that rate (None if no candidate may be reported),
        and "all_candidates" {"sensitivity", "fp_per_image"}, the end of the curve.
    """
    if len(findings) != len(patients):
        raise ValueError(f"Every image needs a patient. Received: {len(findings)} findings, {len(patients)} patients")
    lesions = sum(finding.lesions for finding in findings)
    result = {"n_lesions": lesions, "n_candidates": sum(len(finding.matches) for finding in findings)}
    for criterion in criteria:
        curve = _Curve.of(findings, patients, criterion)
        once = np.ones((1, len(curve.images)))
        values, places = curve.sensitivity(once, [*rates, np.inf])
        intervals = _intervals(curve.resampled(rates, resamples, seed))
        scores = [float(curve.levels[place]) if place >= 0 else None for place in places[0, :-1]]
        cells = zip(rates, values[0, :-1].tolist(), intervals, scores, strict=True)
        rows = {f"fp_{rate:g}": {"value": value, "ci95": interval, "score": score}
                for rate, value, interval, score in cells}  # fmt: skip
        end = {"sensitivity": float(values[0, -1]),
               "fp_per_image": float(curve.false[:, -1].sum() / curve.images.sum()) if len(curve.levels) else 0.0}
        result[f"iou_{criterion:g}"] = {"sensitivity": rows, "all_candidates": end}
    return result


def operating_point(findings: Sequence[Finding], patients: Sequence[str], score: float, resamples: int = 2000,
                    seed: int = 0) -> dict[str, Any]:  # fmt: skip
    """Compute sensitivity and false positives per image of the candidates whose score is at least `score`.

    Returns:
        "score", and under "iou_<criterion>": "sensitivity" and "fp_per_image", each {"value", "ci95"}.
    """
    result: dict[str, Any] = {"score": score}
    for criterion in CRITERIA:
        curve = _Curve.of(findings, patients, criterion)
        counted = np.count_nonzero(curve.levels >= score)
        found, false = ((counts[:, counted - 1] if counted else np.zeros(len(curve.images)))
                        for counts in (curve.found, curve.false))  # fmt: skip
        draws = np.concatenate([np.ones((1, len(found))), patient_draws(len(found), resamples, seed)])
        with np.errstate(invalid="ignore"):
            shares = {"sensitivity": draws @ found / (draws @ curve.lesions),
                      "fp_per_image": draws @ false / (draws @ curve.images)}  # fmt: skip
        result[f"iou_{criterion:g}"] = {name: {"value": float(values[0]), "ci95": _intervals(values[1:, None])[0]}
                                        for name, values in shares.items()}  # fmt: skip
    return result


def curve_rows(findings: Sequence[Finding], patients: Sequence[str], resamples: int = 2000,
               seed: int = 0) -> list[dict[str, float]]:  # fmt: skip
    """Compute the FROC curve for froc.csv: one row with the keys `COLUMNS` for each distinct score, highest first.

    For each criterion a row has the false positives per image, the sensitivity, and the 95 % interval of the
    sensitivity at that rate of false positives, by patients. `fp_per_image` is that of the lowest criterion.
    """
    columns: list[np.ndarray] = []
    for criterion in CRITERIA:
        curve = _Curve.of(findings, patients, criterion)
        rates = curve.false.sum(axis=0) / curve.images.sum()
        low, high = np.transpose(_intervals(curve.resampled(rates, resamples, seed))).reshape(2, -1)
        with np.errstate(invalid="ignore"):
            columns += [rates, curve.found.sum(axis=0) / curve.lesions.sum(), low, high]
    rows = zip(curve.levels.tolist(), *(column.tolist() for column in columns), strict=True)
    return [dict(zip(COLUMNS, row, strict=True)) for row in rows]


class _Curve(NamedTuple):
    """Found lesions and false positives of each patient at each score threshold."""

    levels: np.ndarray  # (K,) distinct scores, highest first
    found: np.ndarray  # (P, K) lesions
    false: np.ndarray  # (P, K) false positives
    lesions: np.ndarray  # (P,)
    images: np.ndarray  # (P,)

    @classmethod
    def of(cls, findings: Sequence[Finding], patients: Sequence[str], criterion: float) -> "_Curve":
        names, owner = np.unique(np.asarray(patients), return_inverse=True)
        scores = sorted({each.score for finding in findings for each in finding.matches}, reverse=True)
        place = {score: number for number, score in enumerate(scores)}
        found, false = np.zeros((2, len(names), len(scores)))
        for patient, finding in zip(owner, findings, strict=True):
            left = set(range(finding.lesions))
            for each in finding.matches:  # best first, so a lesion is found at its best candidate's score
                hits = {lesion for lesion, iou in enumerate(each.ious) if iou >= criterion}
                found[patient, place[each.score]] += len(hits & left)
                false[patient, place[each.score]] += not hits
                left -= hits
        lesions = np.bincount(owner, [finding.lesions for finding in findings], len(names))
        return cls(np.array(scores), found.cumsum(axis=1), false.cumsum(axis=1), lesions,
                   np.bincount(owner, minlength=len(names)))  # fmt: skip

    def sensitivity(self, draws: np.ndarray, rates: Sequence[float] | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Compute the sensitivity of each bootstrap draw at each rate of false positives.

        Args:
            draws: (R, P), how many times each patient was drawn.
            rates: (S,), false positives per image.

        Returns:
            Sensitivity (R, S), NaN where no lesion was drawn, and the index in `levels` of the threshold (R, S), -1
            where no candidate may be reported.
        """
        allowed = np.multiply.outer(draws @ self.images, rates) + 1e-9  # counts are whole, rates are rounded
        places = np.stack([np.searchsorted(false, most, side="right") - 1
                           for false, most in zip(draws @ self.false, allowed, strict=True)])  # fmt: skip
        found = np.concatenate([np.zeros((len(draws), 1)), draws @ self.found], axis=1)
        with np.errstate(invalid="ignore"):
            return np.take_along_axis(found, places + 1, axis=1) / (draws @ self.lesions)[:, None], places

    def resampled(self, rates: Sequence[float] | np.ndarray, resamples: int, seed: int) -> np.ndarray:
        """Compute the sensitivity at each of `rates` (S,) in each resample of the patients: (R, S).

        NaN for one patient.
        """
        draws = patient_draws(len(self.images), resamples, seed)
        return np.concatenate([self.sensitivity(draws[start : start + _CHUNK], rates)[0]
                               for start in range(0, resamples, _CHUNK)])  # fmt: skip


def _intervals(values: np.ndarray) -> list[list[float]]:
    """Compute the 95 % percentile interval of each column without NaN; NaN at both ends for a column of NaN."""
    known = values[~np.isnan(values).any(axis=1)]  # a resample without lesions is all NaN
    if not known.size:
        return [[float("nan")] * 2 for _ in range(values.shape[1])]
    return np.quantile(known, [0.025, 0.975], axis=0).T.tolist()
