"""Settings of the committed results are still read, and give the run folders of that time."""

import re
from pathlib import Path

import pytest

from tfrespam.config import Experiment
from tfrespam.core import yaml_files
from tfrespam.core.arguments import parse
from tfrespam.training.runs import run_folder

CONFIGS = sorted((Path(__file__).parents[1] / "experiments" / "results").rglob("config.yaml"))


@pytest.mark.parametrize("file", CONFIGS, ids=lambda file: str(file.parent).partition("results/")[2])
def test_recorded_settings_are_read(file):
    experiment = Experiment(**parse(Experiment, ["--config", str(file)], "config.yaml")[1])
    stored = yaml_files.load(file)
    assert experiment.name == stored["name"] and experiment.seed == stored["seed"]
    assert experiment.model.width == stored["model"]["width"]
    assert experiment.training.epochs == stored["training"]["epochs"]


FOLDER = re.compile(r"(?:paper|folds|official|all)(?:-fold\d)?-seed\d+-[0-9a-f]{8}")
NAMED = [(file, FOLDER.search(summary.read_text())) for file in CONFIGS
         if (summary := file.with_name("summary.json")).exists()]  # fmt: skip


@pytest.mark.parametrize(("file", "name"), [(file, name[0]) for file, name in NAMED if name],
                         ids=lambda value: value if isinstance(value, str) else value.parent.name)  # fmt: skip
def test_recorded_settings_give_the_folder_of_that_time(file, name):
    assert run_folder(Experiment(**parse(Experiment, ["--config", str(file)], "config.yaml")[1])).name == name


def test_most_results_name_their_folder():
    assert len(CONFIGS) > 80 and sum(name is not None for _, name in NAMED) > 60
