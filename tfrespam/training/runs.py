"""What the folder of a training run holds: settings, weights, and what training wrote down."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tfrespam import cli
from tfrespam.config import Experiment
from tfrespam.errors import UserError
from tfrespam.files import read_json

REMOVE = "Remove it; the command that trained the run writes it again"


class Run:
    """A training run's folder.

    Args:
        folder: Holds config.yaml and, once an epoch is done, weights.
        arithmetic: What its network computes in, "as_trained" or "float32".

    Raises:
        UserError: config.yaml is missing or unreadable.
    """

    def __init__(self, folder: str | Path, arithmetic: str = "as_trained"):
        self.folder = Path(folder)
        self.config = _read_config(self.folder)
        self.as_trained = arithmetic in ("as_trained", self.config["training"].get("precision", "float32"))

    @property
    def weights(self) -> Path:
        """The file that the run selected (`training.select`), or the other one when that is not there."""
        select = self.config["training"]["select"]
        names = sorted(["best.keras", "last.keras"], key=lambda name: name != f"{select}.keras")
        found = [self.folder / name for name in names if (self.folder / name).is_file()]
        if not found:
            raise UserError(f"{self.folder} holds neither best.keras nor last.keras. Expected a run that has "
                            "finished an epoch; one kept without weights is trained again by: python -m tfrespam.train "
                            f"--config {cli.quoted(self.folder / 'config.yaml')}")  # fmt: skip
        return found[0]

    @property
    def facts(self) -> dict[str, Any]:
        """What training wrote down: settings, identities of its training examples, trivial masks."""
        known = self.folder / "facts.json"
        return read_json(known, REMOVE) if known.is_file() else describe(self.config)

    def experiment(self, data_dir: str | None = None) -> Experiment:
        """config.yaml as the experiment that it was; `data_dir` takes the place of its home of prepared data."""
        home = ["--data_dir", data_dir] if data_dir else []
        arguments = ["--config", str(self.folder / "config.yaml"), *home]
        return Experiment(**cli.parse(Experiment, arguments, "config.yaml")[1])

    def check_data(self, prepared) -> None:
        """Raises UserError when the examples of a data set (`Prepared`) are not those that the run was trained on."""
        if prepared.digest != read_json(self.folder / "data.json", REMOVE).get("index_sha256"):
            raise UserError(f"the examples in {prepared.path} are not those that {self.folder} was trained on. Prepare "
                            "them as then, or name their home with --data_dir")  # fmt: skip

    def network(self):
        """The Keras model with the selected weights."""
        from tfrespam.models.stored import in_float32, load_network

        network = load_network(self.weights)
        return network if self.as_trained else in_float32(network)


def _read_config(run: Path) -> dict[str, Any]:
    import yaml

    try:
        config = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"RUN must be the folder of a training run, with its config.yaml. Received: {run}") from None
    except (OSError, yaml.YAMLError) as error:
        raise UserError(f"{run / 'config.yaml'} cannot be read: {error}") from None
    if not isinstance(config, dict):
        raise UserError(f"{run / 'config.yaml'} must hold an experiment's settings. Received: {config!r}")
    if dict(config.get("training") or {}).get("select") not in ("best", "last"):
        raise UserError(f"{run / 'config.yaml'} does not say which weights the run selected (training.select: best or "
                        "last). Was the file cut short? The same train command writes it again")  # fmt: skip
    return config


def describe(config: Mapping[str, Any]) -> dict[str, Any]:
    """What metadata.json says about a training: from the experiment as a nested dict (`config.yaml`)."""
    model = config.get("model", {})
    return {
        "experiment": config.get("name", ""),
        "model": model.get("name", ""),
        "width": model.get("width", 1.0),
        "options": model.get("options", {}),
        "data": config.get("data", {}),
        "augment": config.get("augment", {}),
        "training": config.get("training", {}),
        "seed": config.get("seed"),
    }
