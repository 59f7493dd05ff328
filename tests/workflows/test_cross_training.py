"""All folds of a cross-validation by one command, with simulated trainings except in the last test."""

import csv
import dataclasses
import json
import shutil
import statistics
import subprocess
import sys

import pytest
from fake_runs import write_run

from tfrespam.config import Experiment
from tfrespam.core.errors import UserError
from tfrespam.core.files import read_json, write_json
from tfrespam.train import _without
from tfrespam.workflows import cross_training
from tfrespam.workflows.cross_training import CrossValidation, cross_validate

FULL, HALF, MISSED = (40, 0, 0), (20, 20, 20), (0, 0, 40)  # Dice 1, 0.5, 0
IMAGES = {0: {"a 1": FULL, "a 2": HALF}, 1: {"b 1": MISSED}}


@pytest.fixture
def experiment(tmp_path):
    made = Experiment(name="exp", runs_dir=str(tmp_path / "runs"), models_dir=str(tmp_path / "models"))
    made.data.protocol = "folds"
    return made


@pytest.fixture
def launched(monkeypatch):
    """Simulated trainings, recorded as (seed, fold); seed 1 misses one more mass in fold 0."""
    done = []

    def launch(experiment):
        seed, fold = experiment.seed, experiment.data.fold
        done.append((seed, fold))
        images = dict(IMAGES[fold])
        if (seed, fold) == (1, 0):
            images["a 2"] = MISSED
        folder = write_run(CrossValidation(experiment, [fold], [seed]).runs[0].folder, images, seed=seed)
        shutil.copy(folder / "summary.json", folder / "validation")  # as each evaluated split has its own

    monkeypatch.setattr(cross_training, "exported", lambda run: "somewhere")
    launch.done = done
    return launch


def test_folds_of_different_data_are_not_combined(experiment, launched):
    plan = CrossValidation(experiment, [0, 1], [0])
    for run, digest in zip(plan.runs, "ab", strict=True):
        launched(run.experiment)
        file = run.folder / "validation" / "summary.json"
        write_json(file, read_json(file, "") | {"data_sha256": digest})
    with pytest.raises(UserError, match="were evaluated on different examples"):
        plan.summary()


def test_all_held_out_images_are_scored_together(experiment, launched, tmp_path):
    found = cross_validate(experiment, [0, 1], [0], "none", launched)
    assert launched.done == [(0, 0), (0, 1)]
    dice = found["metrics"]["dice"]
    assert dice["image"] == pytest.approx((1 + 0.5 + 0) / 3) and dice["by_fold"] == {"0": 0.75, "1": 0}
    assert dice["image_ci95"][0] <= dice["image"] <= dice["image_ci95"][1]
    assert (found["n_images"], found["n_patients"]) == (3, 2) and set(found["leak_audit"].values()) == {0}
    folder = CrossValidation(experiment, [0, 1], [0]).folder
    assert read_json(folder / "cross_validation.json", "")["metrics"]["dice"]["image"] == dice["image"]
    with open(folder / "per_image.csv", newline="") as file:
        assert [(row["fold"], row["lesion_id"]) for row in csv.DictReader(file)] == [
            ("0", "a_1"), ("0", "a_2"), ("1", "b_1")]  # fmt: skip


def test_seeds_are_averaged_and_their_spread_is_reported(experiment, launched):
    dice = cross_validate(experiment, [0, 1], [0, 1], "none", launched)["metrics"]["dice"]
    assert launched.done == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert dice["by_seed"] == {"0": pytest.approx(0.5), "1": pytest.approx(1 / 3)}
    assert dice["seed_sd"] == pytest.approx(statistics.stdev([0.5, 1 / 3]))
    assert dice["image"] == pytest.approx((1 + 0.25 + 0) / 3)


def test_finished_trainings_are_not_repeated(experiment, launched):
    cross_validate(experiment, [0], [0], "none", launched)
    cross_validate(experiment, [0, 1], [0], "none", launched)
    cross_validate(experiment, [0, 1], [0], "none", launched)
    assert launched.done == [(0, 0), (0, 1)]


def test_folds_of_other_data_are_not_combined(experiment, launched, data_dir):
    experiment.data_dir, experiment.data.dataset, experiment.data.image_size = str(data_dir), "tiny", 32
    cross_validate(experiment, [0], [0], "none", launched)
    run = CrossValidation(experiment, [0], [0]).runs[0]
    write_json(run.folder / "data.json", {"index_sha256": "other"})
    with pytest.raises(UserError, match=f"differ from those with which {run.folder} was started"):
        cross_validate(experiment, [0, 1], [0], "none", launched)
    assert launched.done == [(0, 0)]
    write_json(run.folder / "data.json", run.digests)
    assert cross_validate(experiment, [0, 1], [0], "none", launched)["n_images"] == 3


def test_a_training_without_a_result_is_reported(experiment, launched):
    with pytest.raises(UserError, match=r"\[1/2\] fold 0, seed 0 ended without a result. The same command resumes"):
        cross_validate(experiment, [0, 1], [0], "none", lambda experiment: None)


@pytest.mark.parametrize(("changes", "folds", "seeds", "final", "message"), [
    ({}, [0, 0], [0], "none", "`folds` must contain at least one number, each only once. Received: \\[0, 0\\]"),
    ({}, [0], [1, 1], "none", "`seeds` must contain"),
    ({}, [0, 5], [0], "none", "data.fold.* must be a fold from 0 to 4"),
    ({"protocol": "paper"}, [0, 1], [0], "none", "`folds` needs `data.protocol` folds or official.*Received: paper"),
    ({}, [0, 1], [0], "all", "data.protocol.* all needs .*training.select.* last"),
])  # fmt: skip
def test_invalid_settings_are_rejected_before_training(experiment, launched, changes, folds, seeds, final, message):
    experiment.data = dataclasses.replace(experiment.data, **changes)
    with pytest.raises(UserError, match=message):
        cross_validate(experiment, folds, seeds, final, launched)
    assert launched.done == []


@pytest.mark.parametrize("given", [["--folds", "0", "1"], ["--folds=0,1"], ["--folds", "0,1", "--seeds", "1", "2"]])
def test_options_are_passed_unchanged_to_each_training(given):
    words = ["--config", "a.yaml", *given, "--training.epochs", "3", "--final", "all"]
    assert _without(words, ("--folds", "--seeds", "--final")) == ["--config", "a.yaml", "--training.epochs", "3"]


@pytest.mark.slow
@pytest.mark.parametrize("final", ["average", "all"])
def test_one_command_ends_in_an_exported_network(download, data_dir, tmp_path, final):
    """Two folds; the second time nothing is trained or exported again."""
    command = [sys.executable, "-m", "tfrespam.train", "--name=cv", f"--data_dir={data_dir}", "--data.dataset=tiny",
               "--data.image_size=32", "--data.protocol=folds", "--model.name=unet", "--model.width=0.03125",
               "--training.epochs=1", "--training.batch_size=3", "--training.select=last", "--folds", "0,1",
               "--final", final, "--training.tensorboard_images=0"]  # fmt: skip
    (tmp_path / "empty.yaml").write_text("{}")
    command += [f"--config={tmp_path / 'empty.yaml'}"]
    for _ in range(2):
        answer = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=850)
        assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "already exported" in answer.stdout and answer.stdout.count("already finished") == 2 + (final == "all")
    (told,) = (tmp_path / "runs" / "cv").glob("cross-validation-*/cross_validation.json")
    known = json.loads(told.read_text())
    metadata = json.loads((tmp_path / known["exported"] / "metadata.json").read_text())
    assert known["exported"] == f"saved_models/cv_{final}/1"
    assert len(metadata["weights"]) == (2 if final == "average" else 1) and metadata["calibration"]
    (scores,) = metadata["metrics"].values()
    assert scores["n_images"] == known["n_images"]
    assert scores["metrics"]["dice"]["image"] == pytest.approx(known["metrics"]["dice"]["image"], abs=2e-3)
