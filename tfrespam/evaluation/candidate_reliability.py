"""Reliability of candidate scores: how often a candidate with the score s is a mass.

A candidate is a mass if it hits a lesion by the matching rule of `evaluation.detection` at the lowest criterion (IoU of
at least 0.1). Every candidate counts, also a second one that hits the same lesion.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfrespam.evaluation.detection import CRITERIA
from tfrespam.evaluation.platt_scaling import PlattScaling
from tfrespam.evaluation.probability_counts import ProbabilityCounts

BINS = 10


def scores_and_hits(rows: Sequence[Mapping[str, Any]], criterion: float = CRITERIA[0]) -> tuple[np.ndarray, np.ndarray]:
    """Return scores (N,) float and hits (N,) bool of the rows of candidates.csv; values may be text."""
    scores, overlaps = (np.array([float(row[name]) for row in rows]) for name in ("score", "best_iou"))
    return scores, overlaps >= criterion


def score_counts(scores: np.ndarray, hits: np.ndarray) -> ProbabilityCounts:
    """Count scores (N,) in `BINS` bins; `pixels` of the result are candidates, `mass` those with `hits` (N,) bool."""
    counts = ProbabilityCounts(BINS)
    counts.add(hits, scores)
    return counts


def candidate_counts(rows: Sequence[Mapping[str, Any]]) -> ProbabilityCounts:
    """Count the candidates of candidates.csv by score, in `BINS` bins."""
    return score_counts(*scores_and_hits(rows))


def reliability_facts(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Compute the reliability of the scores for summary.json.

    Args:
        rows: Rows of candidates.csv.

    Returns:
        "iou" (the criterion of a hit), "expected_calibration_error" (NaN without candidates), "slope" and "intercept"
        of Platt scaling (None where no candidate hits, or all do), and "bins" [{"from", "to", "candidates", "hits",
        "score"}], where "score" is the mean score, None in an empty bin.
    """
    counts, scaling = candidate_counts(rows), platt_scaling(rows)
    bins = [{"from": row["from"], "to": row["to"], "candidates": row["pixels"], "hits": row["mass"],
             "score": row["probability_sum"] / row["pixels"] if row["pixels"] else None}
            for row in counts.rows()]  # fmt: skip
    return {"iou": CRITERIA[0], "expected_calibration_error": counts.expected_calibration_error(),
            "slope": scaling and scaling.slope, "intercept": scaling and scaling.intercept, "bins": bins}  # fmt: skip


def platt_scaling(rows: Sequence[Mapping[str, Any]]) -> PlattScaling | None:
    """Fit Platt scaling to the candidates' scores; None where no candidate hits, or all do."""
    scores, hits = scores_and_hits(rows)
    return PlattScaling.fit(scores, hits) if 0 < np.count_nonzero(hits) < len(hits) else None
