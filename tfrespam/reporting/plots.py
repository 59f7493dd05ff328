"""Plots as SVG text inside the page: no file, no font of their own, and the colour of the text around them."""

import io
import re
from collections.abc import Sequence

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from tfrespam.evaluation.probability_counts import ProbabilityCounts
from tfrespam.reporting.groups import Group

FIRST, SECOND = "#3b7dc4", "#c46a1b"  # 3:1 and more on white and on near-black
_TEXT = "#010203"  # stands for the page's own text colour
_STYLE = {"text.color": _TEXT, "axes.labelcolor": _TEXT, "xtick.color": _TEXT, "ytick.color": _TEXT,
          "axes.edgecolor": _TEXT, "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 10,
          "axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False}  # fmt: skip


def curves(history: Sequence[dict[str, float]]) -> str:
    """Loss and Dice of training and validation over the epochs."""
    with rc_context(_STYLE):
        figure = Figure(figsize=(7.5, 2.8), layout="constrained")
        epochs = [row["epoch"] for row in history]
        for axis, name in zip(figure.subplots(1, 2), ("loss", "dice"), strict=True):
            for prefix, label, colour, line in (("", "training", FIRST, "-"), ("val_", "validation", SECOND, "--")):
                if prefix + name in history[0]:
                    axis.plot(epochs, [row[prefix + name] for row in history], line, color=colour, label=label)
            axis.set(xlabel="epoch", ylabel=name)
            axis.grid(alpha=0.3)
            axis.legend()
        return _svg(figure, "curves")


def distribution(dice: Sequence[float], name: str) -> str:
    """Histogram of the images' Dice, with mean and median."""
    with rc_context(_STYLE):
        figure = Figure(figsize=(7.5, 2.6), layout="constrained")
        axis = figure.subplots()
        axis.hist(dice, np.linspace(0, 1, 41), color=FIRST)
        axis.axvline(np.mean(dice), color=SECOND, label=f"mean {np.mean(dice):.3f}")
        axis.axvline(np.median(dice), color=SECOND, ls="--", label=f"median {np.median(dice):.3f}")
        axis.set(xlabel="Dice of an image", ylabel="images", xlim=(0, 1))
        axis.legend(loc="upper left")
        return _svg(figure, f"distribution-{name}")


def boxes(groups: Sequence[Group], name: str) -> str:
    """A box of the images' Dice for each group; mean and its interval in orange."""
    with rc_context(_STYLE):
        figure = Figure(figsize=(7.5, 0.7 + 0.42 * len(groups)), layout="constrained")
        axis = figure.subplots()
        places = list(range(len(groups), 0, -1))
        style = {"color": FIRST}
        axis.boxplot([group.values for group in groups], positions=places, orientation="horizontal", whis=(5, 95),
                     widths=0.55, boxprops=style, whiskerprops=style, capprops=style, medianprops=style,
                     flierprops={"markersize": 2, "markeredgecolor": FIRST})  # fmt: skip
        for place, group in zip(places, groups, strict=True):
            axis.plot([group.low, group.high], [place, place], color=SECOND, lw=4, solid_capstyle="butt", alpha=0.8)
            axis.plot(group.dice, place, "D", color=SECOND, ms=5)
        axis.set_yticks(places, [f"{group.name} ({group.images})" for group in groups])
        axis.set(xlabel="Dice of an image", xlim=(0, 1))
        axis.grid(axis="x", alpha=0.3)
        return _svg(figure, f"boxes-{name}")


def reliability(counts: ProbabilityCounts, name: str) -> str:
    """Share of mass against stated probability, and the precision-recall curve."""
    stated, found, _ = counts.reliability()
    precision, recall = counts.precision_recall()
    with rc_context(_STYLE):
        figure = Figure(figsize=(7.5, 3.2), layout="constrained")
        left, right = figure.subplots(1, 2)
        left.plot([0, 1], [0, 1], ":", color=_TEXT, lw=1)
        left.plot(stated, found, "o-", color=FIRST)
        left.set(xlabel="probability", ylabel="share of pixels that are mass", xlim=(0, 1), ylim=(0, 1))
        right.plot(recall, precision, color=FIRST)
        right.set(xlabel="recall of mass pixels", ylabel="precision", xlim=(0, 1), ylim=(0, 1))
        for axis in (left, right):
            axis.grid(alpha=0.3)
        return _svg(figure, f"reliability-{name}")


def _svg(figure: Figure, name: str) -> str:
    """The figure as an <svg> element; `name` keeps its ids apart from those of other figures."""
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
