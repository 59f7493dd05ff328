"""Plots as inline SVG of the page, without separate files or fonts, in the text colour of the page.

The plots are narrow, so that their text stays readable when a phone shrinks them. Of a plot with two panels each panel
is a separate SVG, and the page arranges them beside or below each other.
"""

import io
import re
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from tfrespam.evaluation.froc_plot import draw_froc
from tfrespam.evaluation.probability_counts import ProbabilityCounts
from tfrespam.studies.reporting.groups import Group

FIRST, SECOND = "#3b7dc4", "#c46a1b"  # contrast of at least 3:1 on white and on near-black
WIDTH, PANEL = 5.4, 4.4  # inches: a single plot, and one of two panels
_TEXT = "#010203"  # placeholder for the page's text colour
_STYLE = {"text.color": _TEXT, "axes.labelcolor": _TEXT, "xtick.color": _TEXT, "ytick.color": _TEXT,
          "axes.edgecolor": _TEXT, "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 10,
          "axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False}  # fmt: skip


def curves(history: Sequence[dict[str, float]], name: str) -> str:
    """Plot loss and Dice of training and validation over the epochs."""
    return "".join(_curve(history, what, name) for what in ("loss", "dice"))


def _curve(history: Sequence[dict[str, float]], what: str, name: str) -> str:
    with rc_context(_STYLE):
        figure = Figure(figsize=(PANEL, 2.8), layout="constrained")
        axis = figure.subplots()
        epochs = [row["epoch"] for row in history]
        for prefix, label, colour, line in (("", "training", FIRST, "-"), ("val_", "validation", SECOND, "--")):
            if prefix + what in history[0]:
                axis.plot(epochs, [row[prefix + what] for row in history], line, color=colour, label=label)
        axis.set(xlabel="epoch", ylabel=what)
        axis.grid(alpha=0.3)
        axis.legend()
        return _svg(figure, f"{what}-{name}")


def distribution(dice: Sequence[float], name: str) -> str:
    """Plot a histogram of the images' Dice, with mean and median."""
    with rc_context(_STYLE):
        figure = Figure(figsize=(WIDTH, 2.6), layout="constrained")
        axis = figure.subplots()
        axis.hist(dice, np.linspace(0, 1, 41), color=FIRST)
        axis.axvline(np.mean(dice), color=SECOND, label=f"mean {np.mean(dice):.3f}")
        axis.axvline(np.median(dice), color=SECOND, ls="--", label=f"median {np.median(dice):.3f}")
        axis.set(xlabel="Dice of an image", ylabel="images", xlim=(0, 1))
        axis.legend(loc="upper left")
        return _svg(figure, f"distribution-{name}")


def boxes(groups: Sequence[Group], name: str) -> str:
    """Plot a box of the images' Dice for each group, with the mean and its interval in orange."""
    with rc_context(_STYLE):
        figure = Figure(figsize=(WIDTH, 0.7 + 0.36 * len(groups)), layout="constrained")
        axis = figure.subplots()
        heights = list(range(len(groups), 0, -1))
        style = {"color": FIRST}
        axis.boxplot([group.values for group in groups], positions=heights, orientation="horizontal", whis=(5, 95),
                     widths=0.55, boxprops=style, whiskerprops=style, capprops=style, medianprops=style,
                     flierprops={"markersize": 2, "markeredgecolor": FIRST})  # fmt: skip
        for y, group in zip(heights, groups, strict=True):
            axis.plot([group.low, group.high], [y, y], color=SECOND, lw=4, solid_capstyle="butt", alpha=0.8)
            axis.plot(group.dice, y, "D", color=SECOND, ms=5)
        axis.set_yticks(heights, [textwrap.fill(f"{group.name} ({group.images})", 22) for group in groups])
        least = min(min(group.values) for group in groups)
        axis.set(xlabel="Dice of an image", xlim=(min(0.9, np.floor(10 * least) / 10), 1))
        axis.grid(axis="x", alpha=0.3)
        return _svg(figure, f"boxes-{name}")


def reliability(counts: ProbabilityCounts, name: str) -> str:
    """Plot the reliability diagram and the precision-recall curve."""
    probability, frequency, _ = counts.reliability()
    precision, recall = counts.precision_recall()
    labels = "probability", "share of pixels that are mass"
    return (_unit_square(probability, frequency, "o-", labels, f"reliability-{name}", diagonal=[0, 1])
            + _unit_square(recall, precision, "-", ("recall of mass pixels", "precision"), f"precision-{name}"))


def candidate_reliability(counts: ProbabilityCounts, name: str) -> str:
    """Plot the reliability diagram of the candidates' scores."""
    score, frequency, _ = counts.reliability()
    labels = "score", "share of candidates that are masses"
    return _unit_square(score, frequency, "o-", labels, f"scores-{name}", diagonal=[0, 1])


def froc(curve: Sequence[Mapping[str, str]], detection: Mapping[str, Any], name: str) -> str:
    """Plot the FROC curve."""
    with rc_context(_STYLE):
        figure = Figure(figsize=(WIDTH, 3.6), layout="constrained")
        draw_froc(figure.subplots(), curve, detection, (FIRST, SECOND))
        return _svg(figure, f"froc-{name}")


def _unit_square(x, y, style: str, labels: tuple[str, str], name: str, diagonal: Sequence[float] = ()) -> str:
    with rc_context(_STYLE):
        figure = Figure(figsize=(PANEL, 3.2), layout="constrained")
        axis = figure.subplots()
        axis.plot(diagonal, diagonal, ":", color=_TEXT, lw=1)
        axis.plot(x, y, style, color=FIRST)
        axis.set(xlabel=labels[0], ylabel=labels[1], xlim=(0, 1), ylim=(0, 1))
        axis.grid(alpha=0.3)
        return _svg(figure, name)


def _svg(figure: Figure, name: str) -> str:
    """Convert the figure to an <svg> element; `name` makes its ids distinct from those of other figures."""
    with rc_context({"svg.hashsalt": name}):
        figure.patch.set_visible(False)
        for axis in figure.axes:
            axis.patch.set_visible(False)
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    prefix = re.sub(r"\W+", "-", name)
    svg = re.sub(r'\bid="', f'id="{prefix}-', svg)
    svg = re.sub(r'(xlink:href="#|url\(#)', rf"\g<1>{prefix}-", svg)
    return svg.replace(_TEXT, "currentColor").replace("<svg ", '<svg aria-hidden="true" focusable="false" ', 1)
