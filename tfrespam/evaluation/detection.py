"""Match candidates and lesions of whole films.

A candidate is a connected component of the prediction (`tfrespam.evaluation.candidates`), a lesion one of the
reference. A candidate hits every lesion with which the IoU of the masks reaches the criterion. A candidate without a
hit is a false positive. A lesion that is hit twice is found once, and the second hit is not a false positive.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import ndimage

from tfrespam.evaluation import candidates
from tfrespam.evaluation.candidates import CandidateRule
from tfrespam.evaluation.extent import extent

CRITERIA = (0.1, 0.5)  # IoU
FIELDS = ("film_id", "score", "area_px", "longest_diameter_px", "row", "column", "y0", "x0", "y1", "x1", "best_iou",
          "best_box_iou")  # fmt: skip
_EIGHT = np.ones((3, 3))  # 8-neighbourhood


class Match(NamedTuple):
    """A candidate and its IoU with each lesion of its image."""

    candidate: candidates.Candidate
    ious: tuple[float, ...]  # of the masks
    box_ious: tuple[float, ...] = ()

    @property
    def score(self) -> float:
        return self.candidate.score


class Finding(NamedTuple):
    """Lesions and matches of one image, best score first."""

    lesions: int
    matches: tuple[Match, ...]
    diameters: tuple[float, ...] = ()  # of each lesion, in pixels


def find(reference: np.ndarray, probability: np.ndarray,
         rule: CandidateRule | float = CandidateRule()) -> Finding:  # noqa: B008  frozen  # fmt: skip
    """Match the candidates of one image to its lesions.

    Args:
        reference: Mask (H, W), bool or 0 and nonzero.
        probability: (H, W), in [0, 1].
        rule: Parameters of the candidates, or only the probability threshold of their pixels.
    """
    rule = rule if isinstance(rule, CandidateRule) else CandidateRule(rule)
    lesions, count = ndimage.label(np.asarray(reference) != 0, _EIGHT)
    places = ndimage.find_objects(lesions)
    diameters = tuple(extent(lesions[where] == n).longest_diameter_px for n, where in enumerate(places, 1))
    labels, found = candidates.find_candidates(probability, rule)
    # pixels of each candidate in each lesion; the first row and column are background
    both = np.bincount((labels * (count + 1) + lesions).ravel(), minlength=(len(found) + 1) * (count + 1))
    both = both.reshape(len(found) + 1, count + 1)
    ious = both[1:, 1:] / (both.sum(axis=1)[1:, None] + both.sum(axis=0)[1:] - both[1:, 1:])
    boxes = [(rows.start, columns.start, rows.stop, columns.stop) for rows, columns in places]
    matches = [Match(each, tuple(overlaps), tuple(_box_iou(each.box, box) for box in boxes))
               for each, overlaps in zip(found, ious.tolist(), strict=True)]  # fmt: skip
    return Finding(count, tuple(matches), diameters)


def _box_iou(one: Sequence[int], other: Sequence[int]) -> float:
    height, width = (max(min(one[k + 2], other[k + 2]) - max(one[k], other[k]), 0) for k in (0, 1))
    areas = [(y1 - y0) * (x1 - x0) for y0, x0, y1, x1 in (one, other)]
    return height * width / (sum(areas) - height * width)


def candidate_rows(names: Iterable[str], findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """Return the rows of candidates.csv, one a candidate, with the keys `FIELDS`; `names` are the film ids."""
    return [dict(zip(FIELDS, (name, found.score, found.area_px, round(found.longest_diameter_px, 1),
                              *(round(place, 1) for place in found.centre), *found.box,
                              max(match.ious, default=0.0), max(match.box_ious, default=0.0)), strict=True))
            for name, finding in zip(names, findings, strict=True)
            for match in finding.matches for found in [match.candidate]]  # fmt: skip
