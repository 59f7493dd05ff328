"""A prepared data set on disk: TFRecord shards (TFDS), index.csv, ledger.csv and dataset.json in one folder."""

import csv
import dataclasses
import hashlib
import json
import shlex
from functools import cached_property
from pathlib import Path

import numpy as np

from tfrespam.config import DataConfig
from tfrespam.errors import UserError
from tfrespam.files import is_plain_name

COPIES = 13  # of every training lesion under the paper's protocol: the original and 12 augmented ones
_FACTS = {"dataset": str, "version": str, "view": str, "context": float, "image_size": int}  # what others build on
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
        """What `prepare` wrote about the data set as a whole. Raises UserError when the file is damaged."""
        try:
            facts = json.loads((self.path / "dataset.json").read_text(encoding="utf-8"))
            known = {**facts, **{name: kind(facts[name]) for name, kind in _FACTS.items()}}
            if not is_plain_name(known["version"]):
                raise ValueError(f"the version {known['version']!r} is no folder of it")
            return known
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise self.damaged("dataset.json", error) from None

    @cached_property
    def table(self) -> dict[str, np.ndarray]:
        """index.csv by column: one entry per example, in the order in which the shards are read. Raises UserError."""
        if self.facts.get("index_sha256", now := self.digest) != now:  # data sets of earlier releases do not say
            raise self.damaged("index.csv", "it is not the one that was prepared")
        try:
            with open(self.path / "index.csv", newline="", encoding="utf-8") as file:
                rows = list(csv.DictReader(file))
            columns = {name: [row[name] for row in rows] for name in (rows[0] if rows else ())}
            return {name: np.array(values, np.int64 if name in _NUMBERS else None) for name, values in columns.items()}
        except (OSError, ValueError, TypeError, csv.Error) as error:
            raise self.damaged("index.csv", error) from None

    def damaged(self, what: str, why: object) -> UserError:
        """The error to raise where `what` of the data set cannot be read."""
        return UserError(f"{self.path} is damaged: {what} ({why}). Nothing was computed from it. Remove the folder and "
                         "prepare it again from its source: python -m tfrespam.prepare")  # fmt: skip

    @property
    def name(self) -> str:
        return self.facts["dataset"]

    @property
    def digest(self) -> str:
        """SHA-256 of index.csv: which examples there are, where they were cut out, what is known about them."""
        try:
            return hashlib.sha256((self.path / "index.csv").read_bytes()).hexdigest()
        except FileNotFoundError as error:
            raise self.damaged("index.csv", error) from None

    @property
    def shards(self) -> Path:
        """The TFDS folder, for `tfds.builder_from_directory`."""
        return self.path / self.facts["version"]


def config_name(view: str, context: float, image_size: int, copies: int = 1) -> str:
    """Folder of one way of preparing a data set, e.g. roi-1.6-224 or roi-1.2-224-x13."""
    crop = f"roi-{context:g}" if view == "roi" else "film"
    return f"{crop}-{image_size}" + (f"-x{copies}" if copies > 1 else "")


def asked_name(data: DataConfig) -> str:
    """Folder of the way of preparing that `data` asks for: the paper's protocol asks for copies."""
    copies = COPIES if data.protocol == "paper" else 1
    return config_name(data.view, data.context, data.image_size, copies)


def find(data_dir: str | Path, data: DataConfig) -> Prepared:
    """The data set that `data` asks for, under `data_dir`. Raises UserError with the command that makes it."""
    folder = Path(data_dir) / data.dataset / asked_name(data)
    if (folder / "dataset.json").exists():
        return Prepared(folder)
    others = [str(each.path.relative_to(data_dir)) for each in all_under(data_dir)]
    home, name = map(shlex.quote, (str(data_dir), data.dataset))
    raise UserError(
        f"data set {data.dataset!r} is not prepared as {folder.name} under {data_dir}. "
        f"Found there: {', '.join(others) or 'nothing'}. Make it with: python -m tfrespam.prepare --source DIR "
        f"--data_dir {home} --name {name} --view {data.view} --context {data.context:g} --image_size {data.image_size}"
        + (", of which train --data.protocol paper makes the copies" if data.protocol == "paper" else ""))  # fmt: skip


def find_wider(data_dir: str | Path, data: DataConfig, factor: float, known: Prepared) -> Prepared:
    """The lesions of `known`, which `data` asked for, in crops that reach `factor` times as far.

    Raises UserError where they are not there, or were cut out of other films or by other rules.
    """
    context, image_size = round(data.context * factor, 6), round(data.image_size * factor)
    wider = find(data_dir, dataclasses.replace(data, context=context, image_size=image_size))
    same = all(wider.facts.get(fact) == known.facts.get(fact) for fact in ("fingerprint", "crop_policy"))
    if not same or not np.array_equal(wider.table["lesion_id"], known.table["lesion_id"]):
        raise UserError(f"{wider.path} and {known.path} hold different lesions, or were prepared from different states "
                        "of their source. Prepare both anew from the same files")
    return wider


def all_under(data_dir: str | Path) -> list[Prepared]:
    """Every prepared data set under `data_dir`, which may also be the folder of one, sorted by path."""
    home = Path(data_dir)
    found = sorted({path for depth in ("", "*/", "*/*/") for path in home.glob(f"{depth}dataset.json")})
    hidden = {path for path in found if any(part.startswith(".") for part in path.relative_to(home).parts)}
    return [Prepared(path.parent) for path in found if path not in hidden]  # hidden: what a killed process left
