"""Read the files of a finished training run or evaluation: scores, rows per image, history, settings."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import yaml

from tfrespam.core import yaml_files
from tfrespam.core.errors import UserError
from tfrespam.core.files import read_csv
from tfrespam.evaluation.film_scores import TABLES
from tfrespam.evaluation.probability_counts import ProbabilityCounts


@dataclasses.dataclass(frozen=True)
class RunResults:
    """Results of one model on one split.

    Args:
        folder: Folder of the run or evaluation.
        summary: Content of summary.json.
        images: Rows of per_image.csv, with numbers as text.
        history: Rows of history.csv as numbers; [] without training.
        config: Content of config.yaml; {} without it.
        config_text: Its text, with command and machine in the first lines.
        calibration: Content of calibration.csv; None without it.
        films: Rows of each table of whole films (`film_scores.TABLES`), with values as text; {} for crops.
    """

    folder: Path
    summary: dict[str, Any]
    images: list[dict[str, str]]
    history: list[dict[str, float]]
    config: dict[str, Any] = dataclasses.field(default_factory=dict)
    config_text: str = ""
    calibration: ProbabilityCounts | None = None
    films: dict[str, list[dict[str, str]]] = dataclasses.field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> "RunResults":
        """Read a folder with summary.json, and per_image.csv in it or in the folder of its split. Raises UserError."""
        try:
            summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
            files = folder / summary["split"] if (folder / summary["split"]).is_dir() else folder
            text = _text(folder / "config.yaml")
            counts = rows(files / "calibration.csv") if (files / "calibration.csv").exists() else []
            history = rows(folder / "history.csv") if (folder / "history.csv").exists() else []
            numbers = [{name: float(value) for name, value in row.items()} for row in history]
            calibration = ProbabilityCounts.from_rows(counts) if counts else None
            config = yaml_files.load(folder / "config.yaml") if text else {}
            films = {name: rows(files / name) for name in TABLES if (files / name).exists()}
            return cls(folder, summary, rows(files / "per_image.csv"), numbers, config or {}, text, calibration, films)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise UserError(f"{folder} is not a finished run: expected summary.json and per_image.csv, "
                            f"{error.filename} is missing. Train to the end, or name the output of evaluate or "
                            "compare") from None
        except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError) as error:
            raise UserError(f"{folder} contains a damaged file ({error}). Evaluate the model again with: "
                            "python -m tfrespam.evaluate") from None

    @property
    def title(self) -> str:
        about = self.summary
        return (f"{about['model'] or 'unknown model'}, {about['experiment'] or self.folder.name}, {about['protocol']}, "
                f"seed {about['seed']}")  # fmt: skip

    @property
    def training_seconds(self) -> float:
        """Time of all epochs, with validation and saving, without steps before and after."""
        return sum(row["seconds"] for row in self.history)

    @property
    def probe(self) -> dict | None:
        """Content of probe.json of `tfrespam.studies.comparison.probe`; None if it does not exist."""
        file = self.folder / "probe.json"
        return json.loads(file.read_text(encoding="utf-8")) if file.exists() else None


def rows(path: Path) -> list[dict[str, str]]:
    """Read the rows of a CSV file, with values as text."""
    return read_csv(path)


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""
