"""Draws pam.svg and respam.svg, the two building blocks as this project reads the paper's equations.

    python docs/images/make_figures.py
"""

import io
import re
from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

HERE = Path(__file__).parent
BLUE, ORANGE, GREY, GREEN = "#d6e6f7", "#fbe2c8", "#ececf0", "#d9efdd"


class Diagram:
    """Boxes and arrows on a canvas whose unit is an inch."""

    def __init__(self, width: float, height: float):
        self.figure = Figure(figsize=(width, height))
        self.axis = self.figure.add_axes((0, 0, 1, 1))
        self.axis.set(xlim=(0, width), ylim=(0, height))
        self.axis.set_axis_off()

    def box(self, x: float, y: float, text: str, colour: str = GREY, width: float = 1.45, height: float = 0.62) -> None:
        """A box whose centre is (x, y)."""
        self.axis.add_patch(FancyBboxPatch((x - width / 2, y - height / 2), width, height, facecolor=colour,
                                           edgecolor="0.35", boxstyle="round,pad=0,rounding_size=0.08"))  # fmt: skip
        self.axis.text(x, y, text, ha="center", va="center", fontsize=9)

    def sign(self, x: float, y: float, text: str) -> None:
        """A round sign: an operation on what comes in."""
        self.axis.plot(x, y, "o", ms=19, mfc="white", mec="0.35")
        self.axis.text(x, y - 0.01, text, ha="center", va="center", fontsize=11)

    def arrow(self, *points: tuple[float, float]) -> None:
        """Straight pieces from point to point, with a head at the end."""
        for start, end in zip(points, points[1:], strict=False):
            style = "-|>" if end == points[-1] else "-"
            self.axis.add_patch(FancyArrowPatch(start, end, arrowstyle=style, mutation_scale=11, color="0.25", lw=1.1,
                                                shrinkA=0, shrinkB=0))  # fmt: skip

    def note(self, x: float, y: float, text: str) -> None:
        self.axis.text(x, y, text, ha="center", va="center", fontsize=8, color="0.3")

    def save(self, name: str) -> None:
        text = io.StringIO()
        with rc_context({"svg.hashsalt": name, "svg.fonttype": "none", "font.family": "sans-serif"}):
            self.figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
        (HERE / name).write_text(re.sub(r"[ \t]+$", "", text.getvalue(), flags=re.MULTILINE), encoding="utf-8")


def pam() -> None:
    """Equations (1) to (4): both gates see the same F', and their results are added."""
    drawn = Diagram(9.6, 4.0)
    drawn.box(0.8, 2.0, "F\nH × W × C", width=1.2)
    drawn.box(2.4, 2.0, "1×1 convolution\n(eq. 1)", BLUE, width=1.4)
    drawn.note(3.62, 2.17, "F′, C/2")
    drawn.box(5.2, 3.35, "mean, max over pixels\nCRC shared, sum, σ (eq. 2)", ORANGE, width=2.1)
    drawn.box(5.2, 0.65, "mean, max over channels\n7×7 convolution, σ (eq. 3)", GREEN, width=2.1)
    drawn.sign(7.2, 2.7, "×")
    drawn.sign(7.2, 1.3, "×")
    drawn.sign(8.1, 2.0, "+")
    drawn.box(9.05, 2.0, "F″\nC/2", width=0.8)
    drawn.note(6.72, 3.5, "M_c\n1×1×C/2")
    drawn.note(6.72, 0.5, "M_s\nH×W×1")
    drawn.arrow((1.4, 2.0), (1.7, 2.0))
    drawn.arrow((3.1, 2.0), (3.9, 2.0), (3.9, 3.35), (4.15, 3.35))
    drawn.arrow((3.9, 2.0), (3.9, 0.65), (4.15, 0.65))
    drawn.arrow((6.25, 3.35), (7.2, 3.35), (7.2, 2.86))
    drawn.arrow((6.25, 0.65), (7.2, 0.65), (7.2, 1.14))
    drawn.arrow((3.9, 2.7), (7.04, 2.7))
    drawn.arrow((3.9, 1.3), (7.04, 1.3))
    drawn.arrow((7.36, 2.7), (8.1, 2.7), (8.1, 2.16))
    drawn.arrow((7.36, 1.3), (8.1, 1.3), (8.1, 1.84))
    drawn.arrow((8.26, 2.0), (8.65, 2.0))
    drawn.save("pam.svg")


def respam() -> None:
    """Equations (5) and (6): three residual modules, twice as wide as the output, then PAM."""
    drawn = Diagram(9.6, 2.7)
    drawn.box(0.7, 1.1, "X", width=0.7)
    for place, x in enumerate((2.3, 4.5, 6.7)):
        drawn.box(x, 1.1, "1×1, 3×3, 1×1\nconvolutions" + (", step s" if not place else ""), BLUE)
        drawn.sign(x + 0.98, 1.1, "+")
        start = 1.2 if not place else x - 1.0
        drawn.arrow((start, 1.1), (start, 1.9), (x + 0.98, 1.9), (x + 0.98, 1.26))
        drawn.arrow((x + 0.725, 1.1), (x + 0.82, 1.1))
        drawn.note(x, 2.07, "1×1, step s" if not place else "identity")
    drawn.arrow((1.05, 1.1), (1.575, 1.1))
    drawn.arrow((3.44, 1.1), (3.775, 1.1))
    drawn.arrow((5.64, 1.1), (5.975, 1.1))
    drawn.box(8.6, 1.1, "PAM\n(eq. 6)", ORANGE, width=0.9)
    drawn.arrow((7.84, 1.1), (8.15, 1.1))
    drawn.arrow((9.05, 1.1), (9.5, 1.1))
    drawn.note(4.5, 0.45, "2 · filters channels, inner width 2 · filters / 4 (eq. 5)")
    drawn.note(9.05, 0.45, "filters")
    drawn.save("respam.svg")


if __name__ == "__main__":
    pam()
    respam()
