"""Render Matplotlib figures as images for TensorBoard, and draw the reliability diagram."""

from collections.abc import Callable

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tfrespam.evaluation.probability_counts import ProbabilityCounts


def rendered(draw: Callable[[Figure], None]) -> np.ndarray:
    """Render a Matplotlib figure that `draw` fills: (H, W, 3) uint8."""
    figure = Figure(figsize=(4, 4.6), dpi=90, layout="constrained")
    draw(figure)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def draw_reliability(figure: Figure, counts: ProbabilityCounts, what: str = "pixels",
                     value: str = "probability") -> None:  # fmt: skip
    """Draw the reliability diagram and the distribution of probabilities.

    Args:
        figure: Figure to draw on.
        counts: Histogram of pixels, or of candidates.
        what: Unit of the counts in the labels, "pixels" (logarithmic lower plot) or "candidates".
        value: Label of the horizontal axis, such as "probability" or "score".
    """
    probability, frequency, pixels = counts.reliability()
    share = pixels / max(pixels.sum(), 1)
    upper, lower = figure.subplots(2, 1, height_ratios=[3, 1], sharex=True)
    upper.plot([0, 1], [0, 1], "--", color="0.5", lw=1)
    upper.plot(probability, frequency, "o-", color="#4477aa")
    upper.set(xlim=(0, 1), ylim=(0, 1), ylabel=f"share of {what} that are mass",
              title=f"expected calibration error {counts.expected_calibration_error():.4f}")  # fmt: skip
    lower.bar((np.arange(len(share)) + 0.5) / len(share), share, width=0.9 / len(share), color="#4477aa")
    lower.set(yscale="log" if what == "pixels" else "linear", xlabel=value, ylabel=f"share of {what}")
    for axis in (upper, lower):
        axis.grid(alpha=0.3)
