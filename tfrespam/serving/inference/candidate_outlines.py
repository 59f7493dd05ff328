"""Outline candidates by averaging the probabilities of the crop network and the film network."""

from typing import Any

import cv2
import numpy as np
from scipy import ndimage

from tfrespam.data.geometry import crop
from tfrespam.serving.inference import region

CORE = 0.4  # lowest probability of the pixels that locate a candidate's mass
LEVEL = 0.4  # lowest mean of both probabilities inside the outline
CONTEXT = 1.2  # context of the crop, if the network was trained on a range


class Outliner:
    """Outline candidates with a crop network.

    Args:
        network: An `ExportedModel` that was trained on crops around masses.
        threshold: Lowest mean probability inside an outline (default: LEVEL).
    """

    def __init__(self, network: Any, threshold: float | None = None):
        self._network = network
        self.level = LEVEL if threshold is None else threshold
        self._context = context_of(network.metadata)
        self._side = int(network.metadata.get("image_size", 96))

    def outline(self, film: np.ndarray, probability: np.ndarray,
                labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
        """Return labels (H, W) of the outlines, and the mean probability (H, W) of both networks.

        Only components of an outline that overlap the candidate are kept; if there is none, the candidate's pixels are
        its outline.

        Args:
            film: (H, W) uint8 or uint16, bright = dense.
            probability: (H, W) float32 of the film network.
            labels: (H, W) int32, the number of the candidate in each pixel.
        """
        squares = [self._square(probability[place], labels[place] == number, place)
                   for number, place in enumerate(ndimage.find_objects(labels), 1)]
        outlined, both = np.zeros_like(labels), probability.copy()
        for number, (square, seen) in enumerate(zip(squares, self._answers(film, squares), strict=True), 1):
            place, seen = _inside(square, film.shape, seen)
            mean = (seen + probability[place]) / 2
            both[place] = mean
            own = labels[place] == number
            kept = _touching(mean >= self.level, own)
            free = outlined[place] == 0
            outlined[place][free & kept if kept.any() else free & own] = number
        return outlined, both

    def _square(self, probability: np.ndarray, own: np.ndarray, place: tuple[slice, slice]) -> crop.Box:
        """Return the crop of a candidate, whose pixels are `own` within `place`."""
        top, left, bottom, right = crop.bounding_box(core(probability, own))
        y0, x0 = place[0].start, place[1].start
        return crop.square_with_context((y0 + top, x0 + left, y0 + bottom, x0 + right), self._context)

    def _answers(self, film: np.ndarray, squares: list[crop.Box]) -> list[np.ndarray]:
        """Apply the crop network to all squares in one call; return probabilities at the film's resolution."""
        cuts = [crop.cut(film, square).astype(np.float32) / np.iinfo(film.dtype).max for square in squares]
        crops = np.stack([crop.resize_image(cut, self._side) for cut in cuts])
        answers = self._network.predict_images(crops[..., np.newaxis])[..., 0]
        return [crop.resize_image(answer, square[2] - square[0])
                for answer, square in zip(answers, squares, strict=True)]


def context_of(metadata: dict[str, Any]) -> float:
    """Return the context of the network's training crops; CONTEXT, within its range, if it was trained on a range."""
    smallest, largest = region.trained_contexts(metadata)
    return min(max(CONTEXT, smallest), largest)


def core(probability: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Return the candidate's pixels, `own` (H, W) bool, with a probability of at least CORE; all if there are none."""
    likely = own & (probability >= CORE)
    return likely if likely.any() else own


def _inside(square: crop.Box, shape: tuple[int, int], seen: np.ndarray) -> tuple[tuple[slice, slice], np.ndarray]:
    """Return the film's slices under `square`, and the part of `seen`, the square's content, in them."""
    y0, x0, y1, x1 = square
    top, left, bottom, right = max(y0, 0), max(x0, 0), min(y1, shape[0]), min(x1, shape[1])
    place = slice(top, bottom), slice(left, right)
    return place, seen[top - y0 : bottom - y0, left - x0 : right - x0]


def _touching(mask: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Return the connected components of `mask` (8-neighbourhood) that overlap `own`."""
    _, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    return mask & np.isin(labels, np.unique(labels[mask & own]))
