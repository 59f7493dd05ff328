"""FROC curve and reliability of candidate scores on the validation films, for TensorBoard."""

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from tfrespam.evaluation import confusion
from tfrespam.evaluation.candidate_reliability import candidate_counts
from tfrespam.evaluation.candidates import FILM_RULE
from tfrespam.evaluation.detection import Finding, find
from tfrespam.evaluation.film_scores import film_scores
from tfrespam.evaluation.froc_plot import LEGEND, draw_froc
from tfrespam.evaluation.probability_counts import ProbabilityCounts
from tfrespam.training.tensorboard.board_figures import draw_reliability, rendered

COLOURS = "#4477aa", "#cc6622"


class FilmCurves:
    """Collect candidates of the validation films and write their scores, with the candidate rule of film exports.

    Args:
        table: Columns of index.csv for the validation films, in their order.
        height: Height of the images in pixels.
    """

    def __init__(self, table: Mapping[str, np.ndarray], height: int):
        self.table, self.height = table, height
        self.findings: list[Finding] = []
        self.dice: list[float] = []

    def add(self, masks: np.ndarray, probability: np.ndarray) -> None:
        """Add films: masks (N, H, W, 1) in {0, 1} and probabilities of the same shape."""
        references = masks[..., 0] != 0
        predictions = confusion.binarise(probability[..., 0])
        self.dice += confusion.dice(confusion.count_pixels(references, predictions)).tolist()
        self.findings += [find(*pair, FILM_RULE) for pair in zip(references, probability[..., 0], strict=True)]

    def write(self) -> None:
        """Write figures and scalars to the default TensorBoard writer."""
        detection, tables = film_scores(self.findings, self.table, self.dice, FILM_RULE, None, self.height)
        for rate, cell in detection["iou_0.1"]["sensitivity"].items():
            tf.summary.scalar(f"detection/found_at_{rate}", cell["value"])
        for name in ("ap50_mask", "ap50_box"):
            tf.summary.scalar(f"detection/{name}", detection[name]["value"])
        counts = candidate_counts(tables["candidates.csv"][0])
        tf.summary.scalar("detection/expected_calibration_error", counts.expected_calibration_error())
        tf.summary.image("detection/froc", froc_image(tables["froc.csv"][0], detection)[None],
                         description=f"{LEGEND} {detection['matching']}")  # fmt: skip
        tf.summary.image("detection/reliability", candidate_image(counts)[None])


def froc_image(curve: Sequence[Mapping[str, float]], detection: Mapping) -> np.ndarray:
    """Plot the FROC curve: (H, W, 3) uint8."""
    return rendered(lambda figure: draw_froc(figure.subplots(), curve, detection, COLOURS))


def candidate_image(counts: ProbabilityCounts) -> np.ndarray:
    """Plot the reliability of the candidates' scores and the scores' distribution: (H, W, 3) uint8."""
    return rendered(lambda figure: draw_reliability(figure, counts, "candidates", "score"))
