import re

import numpy as np

from tfrespam.evaluation.probability_counts import ProbabilityCounts
from tfrespam.studies.reporting import plots

HISTORY = [{"epoch": 1.0, "loss": 1.0, "val_loss": 1.2, "dice": 0.2, "val_dice": 0.1},
           {"epoch": 2.0, "loss": 0.5, "val_loss": 0.9, "dice": 0.6, "val_dice": 0.5}]  # fmt: skip


def test_curves_have_a_panel_for_loss_and_one_for_dice():
    text = plots.curves(HISTORY, "run1")
    assert text.count("<svg") == text.count("</svg>") == 2
    assert all(word in text for word in ("loss", "dice", "training", "validation", "epoch"))


def test_distribution_shows_mean_and_median_in_the_colour_of_the_page():
    text = plots.distribution([0.0, 0.5, 0.7], "run1")
    assert "mean 0.400" in text and "median 0.500" in text and plots._TEXT not in text
    assert not re.search(r"<image|href=\"http", text)


def test_reliability_and_precision_have_a_panel_each():
    counts = ProbabilityCounts()
    counts.add(np.array([True, False, True]), np.array([0.9, 0.2, 0.6], np.float32))
    text = plots.reliability(counts, "run1")
    assert text.count("<svg") == 2 and "precision" in text and "share of pixels that are mass" in text
