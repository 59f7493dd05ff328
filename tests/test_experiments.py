"""The files under experiments/: all are valid, and two have the documented settings."""

import importlib.util
from pathlib import Path

import pytest

from tfrespam.cli import parse
from tfrespam.config import Experiment
from tfrespam.config_checks import check
from tfrespam.train import EMBEDDED

FOLDER = Path(__file__).parents[1] / "experiments"
FILES = {path.name: path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.yaml"))}
# those of the stage compare are tested in test_compare.py
TRAININGS = [name for name, text in FILES.items() if "tfrespam.compare" not in text]


def read(name: str) -> Experiment:
    return Experiment(**parse(Experiment, ["--config", str(FOLDER / name)])[1])


@pytest.mark.parametrize("name", TRAININGS)
def test_every_experiment_is_valid_and_named_like_its_file(name):
    experiment = read(name)
    check(experiment)
    assert experiment.name == Path(name).stem


@pytest.mark.parametrize("name", TRAININGS)
def test_every_experiment_file_contains_its_command(name):
    assert f"python -m tfrespam.train --config experiments/{name}" in FILES[name]


def test_phantom_experiment_equals_the_embedded_default():
    embedded = Experiment(**parse(Experiment, [], defaults=EMBEDDED)[1])
    assert read("phantom.yaml") == embedded


def test_paper_experiment_has_the_settings_of_the_paper():
    experiment = read("respam_paper.yaml")
    data, training = experiment.data, experiment.training
    assert (data.protocol, data.image_size) == ("paper", 224)
    assert (experiment.model.name, experiment.model.width, experiment.model.options) == ("respam_unet", 1.0, {})
    assert (training.optimizer, training.learning_rate, training.schedule) == ("adam", 1e-3, "constant")
    assert (training.batch_size, training.epochs) == (8, 100)
    assert (experiment.augment.rotation_degrees, experiment.augment.flips) == (10, True)


def test_the_index_of_results_is_up_to_date():
    """After a new result: python experiments/index_results.py."""
    spec = importlib.util.spec_from_file_location("index_results", FOLDER / "index_results.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (FOLDER / "results" / "README.md").read_text(encoding="utf-8") == module.index()
