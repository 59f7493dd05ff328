import numpy as np
import pytest
from matplotlib.figure import Figure

from tfrespam.evaluation.probability_counts import ProbabilityCounts
from tfrespam.training.tensorboard.board_figures import draw_reliability, rendered


@pytest.mark.parametrize(("what", "scale"), [("pixels", "log"), ("candidates", "linear")])
def test_reliability_diagram_has_the_bins_and_their_shares(what, scale):
    counts = ProbabilityCounts(10)
    counts.add(np.array([0, 1, 1, 0]), np.array([0.25, 0.75, 0.75, 0.75]))
    figure = Figure()
    draw_reliability(figure, counts, what, "score")
    upper, lower = figure.axes
    known = np.array(upper.get_lines()[1].get_xydata(), float)
    np.testing.assert_allclose(known[~np.isnan(known).any(axis=1)], [(0.25, 0), (0.75, 2 / 3)])
    assert [bar.get_height() for bar in lower.patches if bar.get_height()] == [0.25, 0.75]
    assert lower.get_yscale() == scale and lower.get_ylabel() == f"share of {what}" and lower.get_xlabel() == "score"


def test_a_figure_is_rendered_to_pixels():
    pixels = rendered(lambda figure: figure.subplots().plot([0, 1], [0, 1]))
    assert pixels.shape == (414, 360, 3) and pixels.dtype == np.uint8 and pixels.std() > 5
