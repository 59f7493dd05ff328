"""The page: numbers, tables, plots and pictures put into the template."""

import base64
import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tfrespam.comparison.published import LABELS, TABLE1
from tfrespam.comparison.tables import number, percent, percent_interval
from tfrespam.errors import UserError
from tfrespam.reporting import gallery, groups, plots
from tfrespam.reporting.source import Judged

HEADLINE = {"dice": "Dice", "iou": "IoU", "miou": "mIoU (mass and background)", "precision": "Precision",
            "sensitivity": "Sensitivity", "specificity": "Specificity"}  # fmt: skip
DISTANCES = {"hd95_px": "95th percentile of the distance, px", "assd_px": "Mean distance of the outlines, px",
             "nsd_2px": "Share of the outlines within 2 px"}  # fmt: skip
TRIVIAL = {"all_ones": "the whole picture", "centred_ellipse": "an ellipse in the middle",
           "mean_mask": "the mean training mask"}  # fmt: skip


def render(sections: Sequence[dict[str, Any]], comparisons: Sequence[dict[str, Any]], title: str, made: str) -> str:
    """The whole page, one file without any link out of it.

    Args:
        sections: From `section`.
        comparisons: From `comparison`.
        title: Its title.
        made: Command, versions and date, for the foot.
    """
    try:
        import jinja2
    except ImportError:
        raise UserError("the report needs Jinja. Install it with: pip install 'tfrespam[report]'") from None
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), undefined=jinja2.StrictUndefined, autoescape=True,
        trim_blocks=True, lstrip_blocks=True)  # fmt: skip
    environment.filters |= {"percent": percent, "number": number}
    template = environment.get_template("report.html.j2")
    return template.render(sections=sections, comparisons=comparisons, title=title, made=made)


def section(judged: Judged, anchor: str, pictures: dict[str, gallery.Picture], no_pictures: str) -> dict[str, Any]:
    """What the template shows of one model.

    Args:
        judged: Its files.
        anchor: Start of the section's anchors.
        pictures: By `gallery.key`; {} without.
        no_pictures: Why there are none.
    """
    rows, summary = judged.images, judged.summary
    dice = [float(row["dice"]) for row in rows]
    attributes = groups.by_attribute(rows)
    failed = gallery.failures(rows)
    return {
        "title": judged.title, "anchor": anchor, "folder": str(judged.folder), "summary": summary,
        "headline": _scores(summary), "distances": _distances(summary),
        "trivial": [(TRIVIAL[name], percent(value)) for name, value in summary["trivial"].items()],
        "table1": _table1(summary), "own_label": LABELS.get(summary["model"], summary["model"]),
        "curves": plots.curves(judged.history, anchor) if judged.history else "", "history": judged.history,
        "distribution": plots.distribution(dice, anchor), "deciles": _deciles(dice),
        "attributes": [(title, found, plots.boxes(found, f"{anchor}-{title}")) for title, found in attributes.items()],
        "calibration": judged.calibration and plots.reliability(judged.calibration, anchor),
        "calibration_error": judged.calibration and judged.calibration.expected_calibration_error(),
        "gallery": {name: [(gallery.key(row), float(row["dice"]), pictures.get(gallery.key(row))) for row in some]
                    for name, some in gallery.shown(rows).items()},
        "failures": [(row, gallery.key(row), pictures.get(gallery.key(row))) for row in failed],
        "failed": sum(score < gallery.FAILURE for score in dice), "failure": gallery.FAILURE,
        "no_pictures": no_pictures, "config": judged.config_text,
    }  # fmt: skip


def comparison(folder: Path) -> dict[str, Any]:
    """What the template shows of a comparison's results folder: table.csv and the pictures beside it."""
    with open(folder / "table.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    pictures = [(file.stem.replace("_", " ").replace("-", " "), base64.b64encode(file.read_bytes()).decode())
                for file in sorted(folder.glob("*.png"))]  # fmt: skip
    return {"title": folder.name, "rows": [_compared(row) for row in rows], "pictures": pictures}


def _compared(row: dict[str, str]) -> dict[str, str]:
    dice, low, high, miou = (float(row[name]) for name in ("dice", "dice_low", "dice_high", "miou"))
    told = {name: row[name] for name in ("network", "recipe", "protocol", "n_images", "runs")}
    return {**told, "dice": percent(dice), "miou": percent(miou),
            "interval": percent_interval(low, high), "parameters": row["parameters"]}  # fmt: skip


def _scores(summary: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    metrics = summary["metrics"]
    return [(label, percent(metrics[name]["image"]), percent_interval(*_ends(metrics[name])),
             percent(metrics[name]["pooled"])) for name, label in HEADLINE.items() if name in metrics]  # fmt: skip


def _ends(metric: dict[str, Any]) -> tuple[float, float]:
    return tuple(float("nan") if end is None else end for end in metric["image_ci95"])


def _distances(summary: dict[str, Any]) -> list[tuple[str, str, str, int]]:
    found = [(label, summary["metrics"][name]) for name, label in DISTANCES.items() if name in summary["metrics"]]
    return [(label, number(metric["image"], "{:.2f}"), " to ".join(number(end, "{:.2f}") for end in _ends(metric)),
             metric["n_images"]) for label, metric in found]  # fmt: skip


def _table1(summary: dict[str, Any]) -> list[tuple[str, str, str, bool]]:
    """The published rows, and this one among them by its Dice."""
    metrics = summary["metrics"]
    rows = [(name, pair.dice, pair.miou, False) for name, pair in TABLE1.items()]
    rows.append(("this model", metrics["dice"]["image"], metrics["miou"]["image"], True))
    return [(name, percent(dice), percent(miou), own) for name, dice, miou, own in sorted(rows, key=lambda row: row[1])]


def _deciles(dice: Sequence[float]) -> list[tuple[str, int]]:
    edges = [place / 10 for place in range(11)]
    return [(f"{low:.1f} to {high:.1f}", sum(low <= score < high or score == high == 1 for score in dice))
            for low, high in zip(edges, edges[1:], strict=False)]  # fmt: skip
