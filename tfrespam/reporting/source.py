"""What a report is about: the files of a training run, of an evaluation, or of a comparison."""

import csv
import dataclasses
import json
from pathlib import Path
from typing import Any

import yaml

from tfrespam.errors import UserError
from tfrespam.evaluation.probability_counts import ProbabilityCounts


@dataclasses.dataclass(frozen=True)
class Judged:
    """One model judged on one split.

    Args:
        folder: The run's or the evaluation's folder.
        summary: summary.json.
        images: Rows of per_image.csv, still text.
        history: Rows of history.csv as numbers; [] without training.
        config: config.yaml; {} without one.
        config_text: The same as written, with command and machine in its first lines.
        calibration: From calibration.csv, None without one.
    """

    folder: Path
    summary: dict[str, Any]
    images: list[dict[str, str]]
    history: list[dict[str, float]]
    config: dict[str, Any]
    config_text: str
    calibration: ProbabilityCounts | None

    @property
    def title(self) -> str:
        about = self.summary
        return (f"{about['model'] or 'unknown model'}, {about['experiment'] or self.folder.name}, {about['protocol']}, "
                f"seed {about['seed']}")  # fmt: skip


def read(folder: Path) -> Judged:
    """Reads a folder with summary.json, and per_image.csv in it or in the folder of its split. Raises UserError."""
    try:
        summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        files = folder / summary["split"] if (folder / summary["split"]).is_dir() else folder
        text = _text(folder / "config.yaml")
        counts = _rows(files / "calibration.csv") if (files / "calibration.csv").exists() else []
        history = _rows(folder / "history.csv") if (folder / "history.csv").exists() else []
        numbers = [{name: float(value) for name, value in row.items()} for row in history]
        calibration = ProbabilityCounts.from_rows(counts) if counts else None
        return Judged(folder, summary, _rows(files / "per_image.csv"), numbers, yaml.safe_load(text) or {}, text,
                      calibration)  # fmt: skip
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UserError(f"{folder} is no finished run: expected summary.json and per_image.csv, {error.filename} is "
                        "missing. Train to the end, or name the output of evaluate or compare") from None  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError) as error:
        raise UserError(f"{folder} holds a damaged file ({error}). Judge the model again with: "
                        "python -m tfrespam.evaluate") from None  # fmt: skip


def is_comparison(folder: Path) -> bool:
    """Whether `folder` is what `tfrespam.compare` writes."""
    return (folder / "table.json").is_file() and (folder / "table.csv").is_file()


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _rows(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
