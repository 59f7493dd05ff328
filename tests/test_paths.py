"""Spaces, brackets, colons, quotes and non-ASCII letters in every path of every stage."""

import json
import shlex
import shutil
import sys

import pytest
import tiny
import yaml

from tfrespam import cli
from tfrespam.config import Experiment
from tfrespam.evaluate import evaluate
from tfrespam.export import export
from tfrespam.predict import predict
from tfrespam.prepare import prepare
from tfrespam.report import report
from tfrespam.train import main, train
from tfrespam.training.runs import run_folder
from tfrespam.tune import tune

pytestmark = pytest.mark.slow


def run(stage, capsys, *args, **options):
    """Run the stage and return its output."""
    try:
        cli.run(stage, list(map(str, args)), **options)
    except SystemExit as ended:
        raise AssertionError(capsys.readouterr().err) from ended
    return capsys.readouterr().out


def test_every_stage_works_in_paths_with_spaces_and_non_ascii_letters(download, tmp_path, capsys, monkeypatch):
    pytest.importorskip("keras_tuner")
    home = tmp_path / "it's größe [1] :x: 乳房"
    home.mkdir()
    monkeypatch.chdir(home)
    source = shutil.copytree(download, home / "down load ü")
    said = run(prepare, capsys, "--source", source, "--data_dir", "dät a", "--name", "tiny", "--image_size", 32,
               "--workers", 1)  # fmt: skip
    assert "--data_dir 'dät a'" in said
    experiment = tiny.experiment(home, "dät a", name="ex ü", runs_dir="my runs", models_dir="mödels",
                                 training__epochs=1)  # fmt: skip
    said = run(train, capsys, *tiny.options(experiment), signature=Experiment)
    folder, model = run_folder(experiment), "mödels/ex ü"
    (line,) = [line for line in said.splitlines() if "tfrespam.predict" in line]
    command = shlex.split(line)
    assert command[3] == str(folder / "examples")
    assert "mödels/ex ü/2" in run(export, capsys, folder)
    run(evaluate, capsys, "--model", model, "--data_dir", "dät a", "--split", "test", "--output", "jüdged 1")
    run(predict, capsys, *command[3:-1], "predictions [1]")
    run(report, capsys, folder, "jüdged 1", "--data_dir", "dät a", "--model", model, "--output", "ré port.html")
    settings = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    (home / "bäse 1.yaml").write_text(yaml.safe_dump(settings, allow_unicode=True), encoding="utf-8")
    run(tune, capsys, "--experiment", "bäse 1.yaml", "--trials", 1, "--search", "[learning_rate]",
        "--output", "sea rch", "--apply", "bést 1.yaml")  # fmt: skip
    summary = json.loads((home / "jüdged 1" / "summary.json").read_text(encoding="utf-8"))
    assert summary["metrics"] == json.loads((folder / "test" / "summary.json").read_text(encoding="utf-8"))["metrics"]
    assert len(list((home / "predictions [1]").glob("*_mask.png"))) == 8
    assert (home / "ré port.html").read_text(encoding="utf-8").count("data:image/png;base64,") > 10
    assert yaml.safe_load((home / "bést 1.yaml").read_text(encoding="utf-8"))["name"] == "bést 1"


def test_a_run_of_train_can_be_verified(trained, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["/x/tfrespam/train.py", "--verify", str(trained[1])])
    main()
    assert "was reproduced bit for bit" in capsys.readouterr().out
