"""Two-stage segmentation of whole films: a film network finds candidates, a crop network outlines each of them.

The film network was trained on whole films and locates masses with scores; the crop network was trained on crops around
masses and is more accurate at their edges. Each outline is where the mean of the two probabilities is high. Candidates
with score, box and area come only from the film network, so that a server with this network returns the same ones.
"""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from scipy import ndimage

from tfrespam.core import png
from tfrespam.evaluation.candidates import Candidate, CandidateRule, find_candidates
from tfrespam.serving.inference.candidate_outlines import Outliner
from tfrespam.serving.inference.saved_model import Segmentation

LEAST = 1 / 65535  # lowest probability above 0 in a 16-bit PNG


class FilmChain:
    """A `Segmenter` that returns candidates for films.

    Args:
        finder: Segments whole films: an `ExportedModel` or a `Client` with any network.
        crops: Segments crops; if None, `finder` does that too, and candidates are not outlined again.
        threshold: Probability threshold of candidates and masks (default: those of the models).
        every: Whether to include candidates below the model's operating point.
    """

    def __init__(self, finder: Any, crops: Any = None, threshold: float | None = None, every: bool = False):
        self.finder, self.crops, self.threshold, self._every = finder, crops or finder, threshold, every
        self._outliner = Outliner(crops, threshold) if crops else None

    @property
    def metadata(self) -> dict[str, Any]:
        """Metadata of the network for crops."""
        return self.crops.metadata

    @property
    def outlines(self) -> bool:
        """True if a separate network outlines candidates."""
        return self._outliner is not None

    @property
    def level(self) -> float | None:
        """Lowest mean probability inside an outline; None without a separate network for outlines."""
        return self._outliner.level if self._outliner else None

    @property
    def takes_films(self) -> bool:
        """True if films can be segmented; a client requests this from its server."""
        return self.finder.takes_films

    def predict_bytes(self, images: Sequence[bytes]) -> list[Segmentation]:
        """Segment crops."""
        return self.crops.predict_bytes(images)

    def predict_film(self, films: Sequence[bytes]) -> list[Segmentation]:
        """Segment whole films, with candidates, and `labels` with the number of each candidate in its outline."""
        return [self._listed(film, answer) for film, answer in zip(films, self.finder.predict_film(films), strict=True)]

    def _listed(self, film: bytes, answer: Segmentation) -> Segmentation:
        probability = decoded(answer.probability_png)
        labels, found = candidates_of(answer, probability, self.finder.metadata, self.threshold, self._every)
        probability_png = answer.probability_png
        if found and self._outliner:
            labels, probability = self._outliner.outline(_greys(film), probability, labels)
            probability_png = png.encode(np.rint(probability * 65535).astype(np.uint16))
        elif found and self.threshold is None:
            labels = _cores(probability, labels, self.finder.metadata.get("film_threshold", LEAST))
        mask = labels > 0
        return Segmentation(png.encode(mask.astype(np.uint8) * 255), probability_png, float(mask.mean()), tuple(found),
                            labels.astype(np.uint16))  # fmt: skip


def candidates_of(answer: Segmentation, probability: np.ndarray, metadata: dict[str, Any],
                  threshold: float | None, every: bool = False
                  ) -> tuple[np.ndarray, list[Candidate]]:  # fmt: skip
    """Return labels (H, W) and candidates of a segmented film.

    Candidates are found by the model's rule; a `threshold` replaces all of it except the score scaling. A model without
    a rule uses `threshold`, or else its film threshold. Without metadata, as with a server, they are the candidates of
    the answer, or else the components of its mask. `every` adds candidates below the model's operating point.
    """
    if stored := metadata.get("candidates"):
        rule = CandidateRule.of(stored)
        return find_candidates(probability, rule.every(threshold) if every or threshold is not None else rule)
    if threshold is not None:
        return find_candidates(probability, CandidateRule(threshold))
    if level := metadata.get("film_threshold", metadata.get("threshold")):
        return find_candidates(probability, CandidateRule(float(level)))
    mask = decoded(answer.mask_png) > 0
    if answer.candidates is not None:
        return _labelled(mask, answer.candidates), list(answer.candidates)
    return find_candidates(np.where(mask, probability, 0), CandidateRule(LEAST))


def _labelled(mask: np.ndarray, found: Sequence[Candidate]) -> np.ndarray:
    """Label a mask (H, W): each component gets the number of the smallest candidate whose box contains it."""
    components, _ = ndimage.label(mask, np.ones((3, 3)))
    labels = np.zeros(mask.shape, np.int32)
    by_size = sorted(range(len(found)), key=lambda index: found[index].area_px)
    for number, place in enumerate(ndimage.find_objects(components), 1):
        containing = [index for index in by_size if _contains(found[index].box, place)]
        if containing:
            labels[place][components[place] == number] = containing[0] + 1
    return labels


def _contains(box: tuple[int, int, int, int], place: tuple[slice, slice]) -> bool:
    (rows, columns), (y0, x0, y1, x1) = place, box
    return y0 <= rows.start and rows.stop <= y1 and x0 <= columns.start and columns.stop <= x1


def _cores(probability: np.ndarray, labels: np.ndarray, level: float) -> np.ndarray:
    """Keep `labels` where the probability reaches `level`, or the candidate's highest probability if that is lower."""
    highest = np.asarray(ndimage.maximum(probability, labels, np.arange(labels.max() + 1)), np.float32)
    return np.where(probability >= np.minimum(highest, level)[labels], labels, 0)


def decoded(data: bytes) -> np.ndarray:
    """Decode an image to grey values (H, W) float32 in [0, 1]."""
    image = _greys(data)
    return image.astype(np.float32) / np.float32(np.iinfo(image.dtype).max)


def _greys(data: bytes) -> np.ndarray:
    """Decode an image to grey values (H, W), uint8 or uint16."""
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_ANYDEPTH)
