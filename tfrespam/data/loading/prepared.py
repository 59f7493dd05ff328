"""A prepared data set on disk: TFRecord shards (TFDS), index.csv, ledger.csv and dataset.json in one folder."""

import csv
import dataclasses
import hashlib
import json
import shlex
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from tfrespam.config import DataConfig
from tfrespam.core.errors import UserError
from tfrespam.core.files import is_plain_name, read_csv

COPIES = 13  # of every training lesion in the paper's protocol: the original and 12 augmented ones
_FACTS = {"dataset": str, "version": str, "view": str, "context": float, "image_size": int}  # required values
_NUMBERS = ("assessment", "subtlety", "breast_density", "copy", "fold", "mass_pixels")


@dataclasses.dataclass(frozen=True)
class Prepared:
    """One prepared data set.

    Args:
        path: Folder with dataset.json, index.csv, ledger.csv and the TFDS version folder.
    """

    path: Path

    @cached_property
    def facts(self) -> dict:
        """Content of dataset.json. Raises UserError if the file is damaged."""
        try:
            facts = json.loads((self.path / "dataset.json").read_text(encoding="utf-8"))
            known = {**facts, **{name: kind(facts[name]) for name, kind in _FACTS.items()}}
            if not is_plain_name(known["version"]):
                raise ValueError(f"the version {known['version']!r} is not a folder of it")
            return known
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise self.damaged("dataset.json", error) from None

    @cached_property
    def table(self) -> dict[str, np.ndarray]:
        """Columns of index.csv, one entry per example, in the order of the shards. Raises UserError."""
        if self.facts.get("index_sha256", now := self.digest) != now:  # not in data sets of earlier releases
            raise self.damaged("index.csv", "it was changed after preparation")
        try:
            return columns(read_csv(self.path / "index.csv"))
        except (OSError, ValueError, TypeError, csv.Error) as error:
            raise self.damaged("index.csv", error) from None

    def damaged(self, what: str, why: object) -> UserError:
        """Create the error for a file `what` of the data set that cannot be read."""
        return UserError(f"{self.path} is damaged: {what} ({why}). Nothing was computed from it. Remove the folder and "
                         "prepare it again from its source: python -m tfrespam.prepare")  # fmt: skip

    @property
    def image_shape(self) -> tuple[int, int]:
        """Height and width of the stored images, in pixels."""
        return self.facts["image_size"], int(self.facts.get("image_width") or self.facts["image_size"])

    @property
    def name(self) -> str:
        return self.facts["dataset"]

    @property
    def digest(self) -> str:
        """SHA-256 of index.csv, which identifies the examples, their crops and metadata."""
        try:
            return hashlib.sha256((self.path / "index.csv").read_bytes()).hexdigest()
        except FileNotFoundError as error:
            raise self.damaged("index.csv", error) from None

    @property
    def shards(self) -> Path:
        """The TFDS folder, for `tfds.builder_from_directory`."""
        return self.path / self.facts["version"]


def columns(rows: Sequence[dict[str, str]]) -> dict[str, np.ndarray]:
    """Convert rows of index.csv to columns, numbers as int64 and everything else as text; {} without rows."""
    return {name: np.array([row[name] for row in rows], np.int64 if name in _NUMBERS else None)
            for name in (rows[0] if rows else ())}  # fmt: skip


def config_name(view: str, context: float, image_size: int, copies: int = 1, image_width: int = 0) -> str:
    """Return the folder name for settings of `prepare`, such as roi-1.6-224, roi-1.2-224-x13 or film-512x288."""
    crop = f"roi-{context:g}" if view == "roi" else "film"
    size = f"{image_size}x{image_width}" if image_width not in (0, image_size) else f"{image_size}"
    return f"{crop}-{size}" + (f"-x{copies}" if copies > 1 else "")


def asked_name(data: DataConfig) -> str:
    """Return the folder name that `data` requires; the paper's protocol requires copies."""
    copies = COPIES if data.protocol == "paper" else 1
    return config_name(data.view, data.context, data.image_size, copies, data.image_width)


def find(data_dir: str | Path, data: DataConfig) -> Prepared:
    """Find the data set that `data` requires under `data_dir`. Raises UserError with the command that prepares it."""
    folder = Path(data_dir) / data.dataset / asked_name(data)
    if (folder / "dataset.json").exists():
        return Prepared(folder)
    others = [str(each.path.relative_to(data_dir)) for each in all_under(data_dir)]
    root, name = map(shlex.quote, (str(data_dir), data.dataset))
    raise UserError(
        f"data set {data.dataset!r} is not prepared as {folder.name} under {data_dir}. "
        f"Found there: {', '.join(others) or 'nothing'}. Prepare it with: python -m tfrespam.prepare --source DIR "
        f"--data_dir {root} --name {name} --view {data.view} --context {data.context:g} --image_size {data.image_size}"
        + (f" --image_width {data.image_width}" if data.image_width else "")
        + (", of which train --data.protocol paper makes the copies" if data.protocol == "paper" else ""))  # fmt: skip


def find_wider(data_dir: str | Path, data: DataConfig, factor: float, known: Prepared) -> Prepared:
    """Find the data set with the lesions of `known` in crops that are `factor` times as wide.

    Raises UserError if it is missing, or was cut from other films or by other rules.
    """
    context, image_size = round(data.context * factor, 6), round(data.image_size * factor)
    wider = find(data_dir, dataclasses.replace(data, context=context, image_size=image_size))
    same = all(wider.facts.get(fact) == known.facts.get(fact) for fact in ("fingerprint", "crop_policy"))
    if not same or not np.array_equal(wider.table["lesion_id"], known.table["lesion_id"]):
        raise UserError(f"{wider.path} and {known.path} contain different lesions, or were prepared from different "
                        "states of their source. Prepare both again from the same files")
    return wider


def all_under(data_dir: str | Path) -> list[Prepared]:
    """Find all prepared data sets under `data_dir`, or at `data_dir` itself, sorted by path."""
    root = Path(data_dir)
    found = sorted({path for depth in ("", "*/", "*/*/") for path in root.glob(f"{depth}dataset.json")})
    return [Prepared(path.parent) for path in found  # hidden folders are leftovers of killed processes
            if not any(part.startswith(".") for part in path.relative_to(root).parts)]  # fmt: skip
