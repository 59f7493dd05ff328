"""Render the report page: numbers, tables, plots and images for the template."""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tfrespam.core.errors import UserError, extra
from tfrespam.core.files import read_csv
from tfrespam.studies.comparison.columns import number, percent, percent_interval
from tfrespam.studies.comparison.published import LABELS, TABLE1
from tfrespam.studies.reporting import gallery, groups, plots
from tfrespam.studies.reporting.film_section import film_section
from tfrespam.training.run_results import RunResults

HEADLINE = {"dice": "Dice", "iou": "IoU", "miou": "mIoU (mass and background)", "precision": "Precision",
            "sensitivity": "Sensitivity", "specificity": "Specificity"}  # fmt: skip
DISTANCES = {"hd95_px": "95th percentile of the distance, px", "assd_px": "Mean distance of the outlines, px",
             "nsd_2px": "Share of the outlines within 2 px"}  # fmt: skip
TRIVIAL = {"all_ones": "the whole image", "centred_ellipse": "an ellipse in the centre",
           "mean_mask": "the mean training mask"}  # fmt: skip


def render(sections: Sequence[dict[str, Any]], comparisons: Sequence[dict[str, Any]], title: str, made: str) -> str:
    """Render the whole page as one file without external links.

    Args:
        sections: Results of `section`.
        comparisons: Results of `comparison`.
        title: Title of the page.
        made: Command, versions and date, for the footer.
    """
    try:
        import jinja2
    except ImportError:
        raise UserError(f"the report needs Jinja, {extra('report')}") from None
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), undefined=jinja2.StrictUndefined, autoescape=True,
        trim_blocks=True, lstrip_blocks=True)  # fmt: skip
    environment.filters |= {"percent": percent, "number": number}
    template = environment.get_template("report.html.j2")
    return template.render(sections=sections, comparisons=comparisons, title=title, made=made)


def section(results: RunResults, anchor: str, images: dict[str, gallery.CaseImage],
            no_images: str) -> dict[str, Any]:  # fmt: skip
    """Collect the values of one model for the template.

    Args:
        results: Results of the model's evaluation.
        anchor: Prefix of the section's anchors.
        images: Images by `gallery.key`; may be empty.
        no_images: Reason why there are no images; "" if there are.
    """
    rows, summary = results.images, results.summary
    dice = [float(row["dice"]) for row in rows]
    attributes = groups.by_attribute(rows)
    failed = gallery.failures(rows)
    return {
        "title": results.title, "anchor": anchor, "folder": str(results.folder), "summary": summary,
        "headline": _scores(summary), "distances": _distances(summary), "films": film_section(results, anchor),
        "trivial": [(TRIVIAL[name], percent(value)) for name, value in summary["trivial"].items()],
        "table1": _table1(summary), "own_label": LABELS.get(summary["model"], summary["model"]),
        "curves": plots.curves(results.history, anchor) if results.history else "", "history": results.history,
        "distribution": plots.distribution(dice, anchor), "deciles": _deciles(dice),
        "attributes": [(title, each, plots.boxes(each, f"{anchor}-{title}")) for title, each in attributes.items()],
        "calibration": results.calibration and plots.reliability(results.calibration, anchor),
        "calibration_error": results.calibration and results.calibration.expected_calibration_error(),
        "gallery": {name: [(gallery.key(row), float(row["dice"]), images.get(gallery.key(row))) for row in some]
                    for name, some in gallery.shown(rows).items()},
        "failures": [(row, gallery.key(row), images.get(gallery.key(row))) for row in failed],
        "failed": sum(score < gallery.FAILURE for score in dice), "failure": gallery.FAILURE,
        "no_images": no_images, "config": results.config_text,
    }  # fmt: skip


def comparison(folder: Path) -> dict[str, Any]:
    """Collect the values of a comparison's results folder for the template: table.csv and the figures beside it."""
    rows = read_csv(folder / "table.csv")
    figures = [(file.stem.replace("_", " ").replace("-", " "), base64.b64encode(file.read_bytes()).decode())
               for file in sorted(folder.glob("*.png"))]  # fmt: skip
    return {"title": folder.name, "rows": [_compared(row) for row in rows], "figures": figures}


def _compared(row: dict[str, str]) -> dict[str, str]:
    dice, low, high, miou = (float(row[name]) for name in ("dice", "dice_low", "dice_high", "miou"))
    copied = {name: row[name] for name in ("network", "recipe", "protocol", "n_images", "runs")}
    return {**copied, "dice": percent(dice), "miou": percent(miou),
            "interval": percent_interval(low, high), "parameters": row["parameters"]}  # fmt: skip


def _scores(summary: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    metrics = summary["metrics"]
    return [(label, percent(metrics[name]["image"]), percent_interval(*_ends(metrics[name])),
             percent(metrics[name]["pooled"])) for name, label in HEADLINE.items() if name in metrics]  # fmt: skip


def _ends(metric: dict[str, Any]) -> tuple[float, float]:
    return tuple(float("nan") if end is None else end for end in metric["image_ci95"])


def _distances(summary: dict[str, Any]) -> list[tuple[str, str, str, int]]:
    metrics = [(label, summary["metrics"][name]) for name, label in DISTANCES.items() if name in summary["metrics"]]
    return [(label, number(metric["image"], "{:.2f}"), " to ".join(number(end, "{:.2f}") for end in _ends(metric)),
             metric["n_images"]) for label, metric in metrics]  # fmt: skip


def _table1(summary: dict[str, Any]) -> list[tuple[str, str, str, bool]]:
    """Return the published rows together with this model's row, sorted by Dice."""
    metrics = summary["metrics"]
    rows = [(name, pair.dice, pair.miou, False) for name, pair in TABLE1.items()]
    rows.append(("this model", metrics["dice"]["image"], metrics["miou"]["image"], True))
    return [(name, percent(dice), percent(miou), own) for name, dice, miou, own in sorted(rows, key=lambda row: row[1])]


def _deciles(dice: Sequence[float]) -> list[tuple[str, int]]:
    edges = [tenth / 10 for tenth in range(11)]
    return [(f"{low:.1f} to {high:.1f}", sum(low <= score < high or score == high == 1 for score in dice))
            for low, high in zip(edges, edges[1:], strict=False)]  # fmt: skip


def is_comparison(folder: Path) -> bool:
    """Check whether `folder` contains results of `tfrespam.compare`."""
    return (folder / "table.json").is_file() and (folder / "table.csv").is_file()
