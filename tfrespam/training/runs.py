"""Training run: settings, examples, and files of its folder."""

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from tfrespam.config import LEAKING, Experiment, identity
from tfrespam.core import own_parts, yaml_files
from tfrespam.core.arguments import parse
from tfrespam.core.console import log, quoted
from tfrespam.core.errors import UserError
from tfrespam.core.files import read_json, write_json
from tfrespam.core.locks import remove_locked
from tfrespam.data.loading import protocols
from tfrespam.data.loading.prepared import Prepared, find, find_wider

EXAMPLES = "examples"  # folder of a run
REMOVE = "Remove it; the command that trained the run writes it again"


def run_folder(experiment: Experiment) -> Path:
    """Return runs/<experiment>/<protocol>-fold<k>-seed<s>-<hash of settings>: equal settings resume the same run."""
    digest = hashlib.sha256(json.dumps(identity(experiment), sort_keys=True, default=str).encode()).hexdigest()[:8]
    data = experiment.data
    fold = "" if data.protocol in LEAKING else f"-fold{data.fold}"
    return Path(experiment.runs_dir) / experiment.name / f"{data.protocol}{fold}-seed{experiment.seed}-{digest}"


def check_same_data(folder: Path, digests: Mapping[str, str], advice: str, what: str = "examples") -> None:
    """Record the examples of a run or search in `folder`; raise UserError if they differ from the recorded ones.

    Args:
        folder: Folder of a run or a search; records of earlier releases may have fewer digests.
        digests: Digests of the current data sets.
        advice: Advice to the user if they differ.
        what: What the digests are of, for the message.
    """
    known = folder / "data.json"
    if not known.exists():
        write_json(known, digests)
        return
    recorded = read_json(known, advice)
    if {**digests, **recorded} != digests:
        raise UserError(f"the {what} differ from those with which {folder} was started. {advice}")
    if recorded != digests:
        write_json(known, digests)


@contextlib.contextmanager
def removed_if_refused(folder: Path) -> Iterator[None]:
    """Remove the folder of a new run, which this process has locked, after a UserError before the end of an epoch.

    A folder with settings but without results would be taken for a run when all folders of an experiment are read.
    """
    is_new = os.listdir(folder) == [".lock"]
    try:
        yield
    except UserError:
        if is_new and not (folder / "state").exists():
            remove_locked(folder)
        raise


class TrainingRun:
    """One training run, whose properties are computed once, on first use.

    Args:
        experiment: All settings.
        folder: Folder of the run (default: `run_folder`).
        arithmetic: Arithmetic of `network`, "as_trained" or "float32".
    """

    def __init__(self, experiment: Experiment, folder: Path | None = None, arithmetic: str = "as_trained"):
        self.experiment = experiment
        self.folder = folder or run_folder(experiment)
        self.as_trained = arithmetic in ("as_trained", experiment.training.precision)

    @classmethod
    def open(cls, folder: str | Path, data_dir: str | None = None, arithmetic: str = "as_trained") -> "TrainingRun":
        """Read a run from its folder.

        Args:
            folder: Folder with config.yaml and, after the first epoch, weights.
            data_dir: Folder of all prepared data sets (default: as in config.yaml).
            arithmetic: As above.

        Raises:
            UserError: config.yaml is missing or unreadable.
        """
        folder = Path(folder)
        _check_config(folder)
        home = ["--data_dir", data_dir] if data_dir else []
        arguments = ["--config", str(folder / "config.yaml"), *home]
        return cls(Experiment(**parse(Experiment, arguments, "config.yaml")[1]), folder, arithmetic)

    @cached_property
    def prepared(self) -> Prepared:
        """The prepared data set. Raises UserError with the command that prepares it."""
        return find(self.experiment.data_dir, self.experiment.data)

    @cached_property
    def source(self) -> Prepared:
        """The data set of the training images; that of wider crops with `augment.recrop`."""
        factor = self.experiment.augment.recrop
        return find_wider(self.experiment.data_dir, self.experiment.data, factor, self.prepared) if factor else (
            self.prepared)  # fmt: skip

    @cached_property
    def splits(self) -> dict[str, np.ndarray]:
        """Bool per row of index.csv for "train", "validation" and "test". Raises UserError if none can train."""
        data = self.experiment.data
        splits = protocols.splits(self.prepared.table, data.protocol, data.fold, self.experiment.seed,
                                 data.exclude_films, data.absent_films)  # fmt: skip
        for split in ("train", "validation"):
            if not splits[split].any():
                raise UserError(f"split {split!r} of protocol {data.protocol!r}, fold {data.fold}, contains no example "
                                f"in {self.prepared.path}. Choose another `data.fold` or prepare more patients")
        if not self.prepared.table["mass_pixels"][splits["train"]].any():
            raise UserError(f"no training image of {self.prepared.path} contains a pixel of a mass: there is nothing "
                            "to learn. Prepare with a larger `image_size`")
        return splits

    @cached_property
    def trained_on(self) -> dict[str, Any]:
        """Hashes of lesions, films, breasts and patients (`protocols.identities`) in the training data.

        They include the training data of the initial weights, if that is known (`protocols.joined`).
        """
        own = protocols.identities(self.prepared.table, self.splits["train"])
        return protocols.joined(own, self.trained_before) if self.trained_before else own

    @cached_property
    def trained_before(self) -> dict[str, Any] | None:
        """Training data of the initial weights; None without these, or if it is unknown."""
        path = self.experiment.training.initial_weights
        if not path:
            return None
        from tfrespam.training.initial_weights import trained_before

        found = trained_before(path)
        if found is None:
            log.warning(f"the training patients of the initial weights {path} are unknown: the leak audit "
                        "counts only this run's training examples")  # fmt: skip
        return found

    def audit(self, split: str) -> dict[str, int | None]:
        """Count the examples of `split` that leak. Raises UserError if the protocol does not allow any."""
        table, chosen, protocol = self.prepared.table, self.splits[split], self.experiment.data.protocol
        own = protocols.leak_audit(table, chosen, protocols.identities(table, self.splits["train"]))
        protocols.refuse_leaks(own, protocol, split)
        if not self.trained_before:
            return own
        audit = protocols.leak_audit(table, chosen, self.trained_on)
        if protocols.is_honest(protocol, split) and any(audit.values()):
            raise UserError(f"`training.initial_weights`: {self.experiment.training.initial_weights} was trained on "
                            f"patients of the {split} split ({audit['patient']} of its {chosen.sum()} examples). "
                            "Start from a model of the same protocol and fold, or of another data set")
        return audit

    @property
    def digests(self) -> dict[str, str]:
        """Digest of the data set's index, and of that of wider crops if these are used."""
        wider = {"wider_index_sha256": self.source.digest} if self.experiment.augment.recrop else {}
        return {"index_sha256": self.prepared.digest, **wider}

    def check_data(self) -> None:
        """Raise UserError if the examples differ from those of the training, or if these were not recorded."""
        if not (self.folder / "data.json").is_file():
            raise UserError(f"{self.folder} has no data.json, so that the examples of its training are unknown. The "
                            "command that trained the run writes it again")
        recorded = read_json(self.folder / "data.json", REMOVE)
        if self.prepared.digest != recorded.get("index_sha256"):
            raise UserError(f"the examples in {self.prepared.path} are not those that {self.folder} was trained on. "
                            "Prepare them as before, or name their folder with `data_dir`")

    @property
    def selected(self) -> Path:
        """The file of the weights to export (`training.select`), which may not exist."""
        return self.folder / f"{self.experiment.training.select}.keras"

    @property
    def weights(self) -> Path:
        """The selected weights, else the other ones. Raises UserError if neither exist."""
        found = [file for file in (self.selected, self.folder / "best.keras", self.folder / "last.keras")
                 if file.is_file()]  # fmt: skip
        if not found:
            raise UserError(f"{self.folder} contains neither best.keras nor last.keras. Expected a run that has "
                            "finished an epoch; one kept without weights is trained again by: python -m tfrespam.train "
                            f"--config {quoted(self.folder / 'config.yaml')}")  # fmt: skip
        return found[0]

    @property
    def is_trained(self) -> bool:
        """True if the last epoch is finished."""
        return (self.folder / "last.keras").exists()

    @property
    def is_finished(self) -> bool:
        """True if the run is trained, exported and evaluated."""
        return (self.folder / "summary.json").exists()

    @property
    def facts(self) -> dict[str, Any]:
        """Content of facts.json: settings, identities of the training examples, trivial masks."""
        known = self.folder / "facts.json"
        return read_json(known, REMOVE) if known.is_file() else describe(self.experiment)

    def import_own_parts(self) -> None:
        """Import the user's own network and loss, which also registers their layers. Raises UserError."""
        named = {"model.name": (self.experiment.model.name, "tfrespam.models"),
                 "training.loss": (self.experiment.training.loss, "tfrespam.losses")}  # fmt: skip
        for setting, (name, group) in named.items():
            own_parts.find(name, group, f"`{setting}`")

    def network(self):
        """Load the Keras model with the selected weights."""
        from tfrespam.models.stored import in_float32, load_network

        self.import_own_parts()
        network = load_network(self.weights)
        return network if self.as_trained else in_float32(network)


def _check_config(run: Path) -> None:
    import yaml

    try:
        config = yaml_files.load(run / "config.yaml")
    except FileNotFoundError:
        raise UserError(f"RUN must be the folder of a training run, with its config.yaml. Received: {run}") from None
    except (OSError, yaml.YAMLError) as error:
        raise UserError(f"{run / 'config.yaml'} cannot be read: {error}") from None
    if not isinstance(config, dict):
        raise UserError(f"{run / 'config.yaml'} must contain an experiment's settings. Received: {config!r}")
    if dict(config.get("training") or {}).get("select") not in ("best", "last"):
        raise UserError(f"{run / 'config.yaml'} does not say which weights the run selected (training.select: best or "
                        "last). Was the file cut short? The same train command writes it again")  # fmt: skip


def describe(experiment: Experiment) -> dict[str, Any]:
    """Return the entries of metadata.json about a training's settings."""
    import dataclasses

    settings = dataclasses.asdict(experiment)
    model = settings["model"]
    return {
        "experiment": experiment.name,
        "model": model["name"],
        "width": model["width"],
        "options": model["options"],
        "data": settings["data"],
        "augment": settings["augment"],
        "training": settings["training"],
        "seed": experiment.seed,
    }
