import dataclasses
import shutil

import pytest

from tfrespam.config import AugmentConfig, Experiment
from tfrespam.core.errors import UserError
from tfrespam.training.runs import run_folder
from tfrespam.workflows import training

pytestmark = pytest.mark.usefixtures("switches")


def test_run_folder_depends_on_every_setting_except_paths(trained):
    experiment, folder = trained
    moved = dataclasses.replace(experiment, data_dir="else", models_dir="where")
    assert run_folder(moved) == folder
    noisy = dataclasses.replace(experiment.augment, noise=0.1)
    for changed in (dataclasses.replace(experiment, seed=1), dataclasses.replace(experiment, augment=noisy)):
        assert run_folder(changed).parent == folder.parent and run_folder(changed) != folder


def test_settings_added_later_do_not_change_the_names_of_older_runs():
    """The name was recorded before the settings were added."""
    recorded = Experiment(data_dir="d", augment=AugmentConfig(draw="joint"))
    assert run_folder(recorded) == training.Path("runs/experiment/official-fold0-seed0-713a777e")
    changed = dataclasses.replace(Experiment().training, side_loss="bce")
    assert run_folder(Experiment(training=changed)) != run_folder(Experiment())


def test_a_run_is_not_resumed_with_different_examples(trained, prepared, tmp_path):
    shutil.copytree(prepared.path, tmp_path / "tiny" / prepared.path.name)
    moved = dataclasses.replace(trained[0], data_dir=str(tmp_path))
    training.train(moved)  # the same examples in another place
    with open(tmp_path / "tiny" / prepared.path.name / "index.csv", "a") as index:
        index.write("\n")
    with pytest.raises(UserError, match="differ from those with which .* was started. Choose another `name`"):
        training.train(moved)
