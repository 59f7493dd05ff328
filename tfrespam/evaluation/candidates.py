"""Candidate masses of an image: connected components of a probability map, with score, box and size.

A candidate is a connected component of the pixels that reach `threshold`. Components closer than `join` (a share of
the image's longest side) form one candidate, because networks sometimes split a mass at a vessel or a fold. The score
is the highest probability in the candidate. If the rule has Platt scaling, it is applied to the score, which then
estimates the share of such candidates that are masses.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
from scipy import ndimage

from tfrespam.evaluation.extent import extent
from tfrespam.evaluation.platt_scaling import PlattScaling

_EIGHT = np.ones((3, 3))  # 8-neighbourhood


@dataclasses.dataclass(frozen=True)
class CandidateRule:
    """Parameters that convert a probability map to candidates; stored in a model's metadata as `candidates`.

    Args:
        threshold: Probability threshold: pixels with at least this probability belong to a candidate.
        least_score: Operating point: candidates with a lower score are not reported.
        least_area: Smallest area of a candidate, as a share of the image.
        join: Largest gap between the components of one candidate, as a share of the image's longest side.
        score_slope, score_intercept: Platt scaling of the scores (`tfrespam.evaluation.platt_scaling`), which keeps
            their order; 1 and 0 leave the highest probability. `least_score` is compared with the scaled score.
    """

    threshold: float = 0.5
    least_score: float = 0.0
    least_area: float = 0.0
    join: float = 0.0
    score_slope: float = 1.0
    score_intercept: float = 0.0

    def every(self, threshold: float | None = None) -> "CandidateRule":
        """Return the rule with least_score 0; a `threshold` replaces its own, with `least_area` and `join` 0."""
        if threshold is None:
            return dataclasses.replace(self, least_score=0.0)
        return CandidateRule(threshold, score_slope=self.score_slope, score_intercept=self.score_intercept)

    def plain(self) -> "CandidateRule":
        """Return the rule with least_score 0 and without Platt scaling, to choose both again."""
        return dataclasses.replace(self, least_score=0.0, score_slope=1.0, score_intercept=0.0)

    def at_temperature(self, temperature: float) -> "CandidateRule":
        """Return the rule that finds the same candidates after temperature scaling of the probabilities.

        With Platt scaling the candidates keep their scores, otherwise their scores are scaled too.
        """
        if temperature == 1:
            return self
        scaled = PlattScaling(1 / temperature, 0.0)
        changed: dict[str, float] = {"threshold": float(scaled.apply(self.threshold))}
        if self.scaling == (1, 0):
            changed |= {"least_score": float(scaled.apply(self.least_score)) if self.least_score else 0.0}
        else:
            changed |= {"score_slope": self.score_slope * temperature}
        return dataclasses.replace(self, **changed)

    @property
    def scaling(self) -> PlattScaling:
        """Platt scaling from a candidate's highest probability to its score."""
        return PlattScaling(self.score_slope, self.score_intercept)

    @classmethod
    def of(cls, written: Mapping[str, Any] | None) -> "CandidateRule":
        """Read the rule from metadata.json: missing values are the defaults, unknown keys are ignored."""
        known = {field.name for field in dataclasses.fields(cls)}
        return cls(**{name: float(value) for name, value in (written or {}).items() if name in known})


FILM_RULE = CandidateRule(threshold=0.2, least_area=2e-4)  # of film networks; reasons: docs/reference/films.md


class Candidate(NamedTuple):
    """One candidate, in pixels of the probability map."""

    score: float  # in [0, 1]
    box: tuple[int, int, int, int]  # y0, x0, y1, x1, half open
    centre: tuple[float, float]  # row, column
    area_px: int
    longest_diameter_px: float  # of its longest connected component


def find_candidates(probability: np.ndarray, rule: CandidateRule = CandidateRule()  # noqa: B008  frozen
                    ) -> tuple[np.ndarray, list[Candidate]]:  # fmt: skip
    """Find the candidates of one image.

    Args:
        probability: (H, W), in [0, 1].
        rule: Threshold, lowest score, smallest area and largest gap.

    Returns:
        Labels (H, W) int32, 0 for background and k for the k-th candidate; and the candidates, best score first. The
        image's mask is `labels > 0`. Without candidates the labels are 0 and the list is empty.

    Examples:
        >>> labels, found = find_candidates(np.array([[0.9, 0.7, 0.0, 0.6]]))
        >>> labels.tolist(), [candidate.area_px for candidate in found]
        ([[1, 1, 0, 2]], [2, 1])
    """
    probability = np.asarray(probability, np.float32)
    components = _components(probability >= rule.threshold, round(rule.join * max(probability.shape)))
    least = rule.least_area * probability.size
    kept = []
    for number, where in enumerate(ndimage.find_objects(components), 1):
        mask = components[where] == number
        candidate = _measured(probability[where], mask, where, rule.scaling)
        if candidate.score >= rule.least_score and candidate.area_px >= least:
            kept.append((candidate, where, mask))
    kept.sort(key=lambda each: (-each[0].score, each[0].box))
    labels = np.zeros(probability.shape, np.int32)
    for number, (_, where, mask) in enumerate(kept, 1):
        labels[where][mask] = number
    return labels, [candidate for candidate, _, _ in kept]


def _components(mask: np.ndarray, gap: int) -> np.ndarray:
    """Label connected components, (H, W) int32; those less than `gap` pixels apart share a label."""
    if gap < 1:
        return ndimage.label(mask, _EIGHT)[0]
    reach = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (gap + 1 - gap % 2, gap + 1 - gap % 2))
    wide = cv2.dilate(mask.astype(np.uint8), reach)
    return np.where(mask, ndimage.label(wide, _EIGHT)[0], 0).astype(np.int32)


def _measured(probability: np.ndarray, mask: np.ndarray, where: Sequence[slice], scaling: PlattScaling) -> Candidate:
    area, longest = extent(mask)
    (y0, y1), (x0, x1) = ((side.start, side.stop) for side in where)
    row, column = ndimage.center_of_mass(mask)
    score = float(scaling.apply(probability[mask].max()))
    return Candidate(score, (y0, x0, y1, x1), (row + y0, column + x0), area, longest)
