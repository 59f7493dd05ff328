"""Searches for settings."""

import csv
import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import several_processes
import tiny
import yaml

from tfrespam.config import Experiment
from tfrespam.core.arguments import parse
from tfrespam.core.errors import UserError
from tfrespam.tune import tune
from tfrespam.workflows import tuning

pytest.importorskip("keras_tuner", reason="KerasTuner (extra [tune]) is not installed")


SEARCH = ("learning_rate", "augmentation")


@pytest.fixture
def file(tmp_path, data_dir):
    """An experiment of one epoch as a YAML file."""
    experiment = tiny.experiment(tmp_path, data_dir, training__epochs=1, training__batch_size=4)
    path = tmp_path / "base.yaml"
    path.write_text(yaml.safe_dump(json.loads(json.dumps(dataclasses.asdict(experiment)))), encoding="utf-8")
    return path


def rows(folder):
    with open(folder / "trials.csv", newline="") as table:
        return list(csv.DictReader(table))


@pytest.mark.slow
def test_a_search_is_resumed_and_writes_the_best_trial_as_an_experiment(file, tmp_path, capsys):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    output, best = tmp_path / "search", tmp_path / "best.yaml"
    tune(str(file), trials=1, search=SEARCH, output=str(output))
    first = rows(output)
    tune(str(file), trials=3, search=SEARCH, output=str(output), apply=str(best))
    found = rows(output)
    assert len(first) == 2 and len(found) == 4 and first[0]["trial"] in {row["trial"] for row in found}
    assert found[-1]["trial"] == "default"
    scores = [float(row["val_dice"]) for row in found[:-1]]
    assert scores == sorted(scores, reverse=True)
    made = Experiment(**parse(Experiment, ["--config", str(best)])[1])
    rate = float(found[0]["learning_rate"]) if scores[0] > float(found[-1]["val_dice"]) else 0.01  # the experiment's
    assert made.name == "best" and made.training.learning_rate == pytest.approx(rate)
    assert f"Dice {scores[0]:.4f}" in best.read_text() and "tensorboard --logdir" in capsys.readouterr().out
    boards = [path.parent for path in (output / "tensorboard").rglob("*tfevents*")]
    tags = [EventAccumulator(str(board)).Reload().summary_metadata for board in boards]
    assert any("_hparams_/session_start_info" in each for each in tags)


@pytest.mark.parametrize(("own", "rate", "told"), [(0.5, 0.02, False), (0.7, 0.01, True)])
def test_defaults_are_kept_if_no_trial_is_better(file, tmp_path, capsys, own, rate, told):
    table = [{"trial": "0", "val_dice": 0.6, "learning_rate": 0.02}, {"trial": "default", "val_dice": own}]
    base = tuning._base(str(file), None, None)
    tuning._write_best(base, table, ("learning_rate",), tmp_path / "best.yaml")
    made = Experiment(**parse(Experiment, ["--config", str(tmp_path / "best.yaml")])[1])
    assert base.training.learning_rate == 0.01 and made.training.learning_rate == rate
    assert ("no trial is better" in (tmp_path / "best.yaml").read_text()) == told
    assert ("No trial is better" in capsys.readouterr().out) == told


@pytest.mark.slow
def test_best_settings_keep_the_epochs_of_the_experiment(file, tmp_path):
    file.write_text(file.read_text().replace("epochs: 1\n", "epochs: 3\n", 1))
    best = str(tmp_path / "best.yaml")
    tune(str(file), trials=1, epochs=1, search=SEARCH[:1], output=str(tmp_path / "search"), apply=best)
    assert parse(Experiment, ["--config", best])[1]["training"].epochs == 3


@pytest.mark.slow
@pytest.mark.parametrize("method", ["hyperband", "bayesian"])
def test_every_search_method_works(file, tmp_path, method):
    tune(str(file), method, trials=2, epochs=2, search=SEARCH[:1], output=str(tmp_path / "search"))
    assert len(rows(tmp_path / "search")) >= 3


@pytest.mark.slow
def test_two_workers_share_a_search(file, tmp_path):
    """A chief that distributes trials and two workers that train them, configured by KerasTuner's variables."""
    (port,) = several_processes.free_ports(1)
    common = {**os.environ, "KERASTUNER_ORACLE_IP": "127.0.0.1", "KERASTUNER_ORACLE_PORT": str(port)}
    code = "import tiny; from tfrespam.tune import main; main()"
    arguments = ["--experiment", str(file), "--trials", "4", "--search", str(list(SEARCH)),
                 "--output", str(tmp_path / "s")]
    processes = [subprocess.Popen([sys.executable, "-c", code, *arguments], cwd=Path(tiny.__file__).parent,
                                  env={**common, "KERASTUNER_TUNER_ID": name}, stdout=subprocess.PIPE, text=True,
                                  stderr=subprocess.STDOUT) for name in ("chief", "worker0", "worker1")]  # fmt: skip
    try:
        told = [process.communicate(timeout=400)[0] for process in processes]
        assert [process.returncode for process in processes] == [0, 0, 0], told
    finally:
        for process in processes:
            process.kill()
    assert len(rows(tmp_path / "s")) == 5


@pytest.mark.parametrize(("options", "message"), [
    ({"split": "test"}, "`split` must be 'inner'.*Received: 'test'"),
    ({"split": "validation"}, "`split` must be 'inner'"),
    ({"search": ("depth",)}, "`search` must name some of width, loss_weight.*Received: depth"),
    ({"search": ("fusion",)}, "`search` must name some of width"),
    ({"trials": 0}, "`trials` must be 1 or more"),
    ({"epochs": 0}, "`epochs` must be 1 or more"),
])  # fmt: skip
def test_invalid_options_are_rejected(file, tmp_path, options, message):
    with pytest.raises(UserError, match=message):
        tune(str(file), output=str(tmp_path / "search"), **options)
    assert not (tmp_path / "search").exists()


def test_a_search_folder_cannot_be_reused_with_other_settings(file, tmp_path):
    base = tuning._base(str(file), None, None)
    tuning._same_search(tmp_path / "search", base, "random", SEARCH)
    tuning._same_search(tmp_path / "search", base, "random", SEARCH)
    with pytest.raises(UserError, match="contains a search with other settings"):
        tuning._same_search(tmp_path / "search", base, "bayesian", SEARCH)


def test_a_search_is_resumed_only_with_the_same_examples(tmp_path):
    tuning.check_same_data(tmp_path, {"index_sha256": "a"}, "")
    tuning.check_same_data(tmp_path, {"index_sha256": "a"}, "")
    with pytest.raises(UserError, match="the examples differ from those"):
        tuning.check_same_data(tmp_path, {"index_sha256": "b"}, "")


@pytest.mark.parametrize("protocol", ["paper", "all"])
def test_leaking_protocols_are_rejected(file, tmp_path, protocol):
    settings = yaml.safe_load(file.read_text())
    settings["data"]["protocol"] = protocol
    settings["training"]["select"] = "last"
    file.write_text(yaml.safe_dump(settings))
    with pytest.raises(UserError, match=f"protocol '{protocol}' trains on its validation examples"):
        tune(str(file), output=str(tmp_path / "search"))
