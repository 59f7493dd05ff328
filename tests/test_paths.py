"""Blanks, brackets, colons, quotes and letters of other alphabets in every path of every stage."""

import json
import shlex
import shutil
import sys

import pytest
import tiny
import yaml

from tfrespam import cli, evaluate, export, predict, prepare, report, train, tune
from tfrespam.config import Experiment

pytestmark = pytest.mark.slow


def run(stage, capsys, *args, **options):
    """What the stage says."""
    try:
        cli.run(stage, list(map(str, args)), **options)
    except SystemExit as ended:
        raise AssertionError(capsys.readouterr().err) from ended
    return capsys.readouterr().out


def test_every_stage_works_below_a_folder_with_blanks_and_letters(download, tmp_path, capsys, monkeypatch):
    pytest.importorskip("keras_tuner")
    home = tmp_path / "it's größe [1] :x: 乳房"
    home.mkdir()
    monkeypatch.chdir(home)
    source = shutil.copytree(download, home / "down load ü")
    said = run(prepare.prepare, capsys, "--source", source, "--data_dir", "dät a", "--name", "tiny", "--image_size", 32,
               "--workers", 1)  # fmt: skip
    assert "--data_dir 'dät a'" in said
    experiment = tiny.experiment(home, "dät a", name="ex ü", runs_dir="my runs", models_dir="mödels",
                                 training__epochs=1)  # fmt: skip
    said = run(train.train_from_options, capsys, *tiny.options(experiment), signature=Experiment)
    folder, model = train.run_folder(experiment), "mödels/ex ü"
    (line,) = [line for line in said.splitlines() if "tfrespam.predict" in line]
    command = shlex.split(line)
    assert command[3] == str(folder / "examples")
    assert "mödels/ex ü/2" in run(export.export, capsys, folder)
    run(evaluate.evaluate, capsys, "--model", model, "--data_dir", "dät a", "--split", "test", "--output", "jüdged 1")
    run(predict.predict, capsys, *command[3:-1], "predictions [1]")
    run(report.report, capsys, folder, "jüdged 1", "--data_dir", "dät a", "--model", model, "--output", "ré port.html")
    settings = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    (home / "bäse 1.yaml").write_text(yaml.safe_dump(settings, allow_unicode=True), encoding="utf-8")
    run(tune.tune, capsys, "--experiment", "bäse 1.yaml", "--trials", 1, "--search", "[learning_rate]",
        "--output", "sea rch", "--apply", "bést 1.yaml")  # fmt: skip
    summary = json.loads((home / "jüdged 1" / "summary.json").read_text(encoding="utf-8"))
    assert summary["metrics"] == json.loads((folder / "test" / "summary.json").read_text(encoding="utf-8"))["metrics"]
    assert len(list((home / "predictions [1]").glob("*_mask.png"))) == 8
    assert (home / "ré port.html").read_text(encoding="utf-8").count("data:image/png;base64,") > 10
    assert yaml.safe_load((home / "bést 1.yaml").read_text(encoding="utf-8"))["name"] == "bést 1"


def test_a_run_is_verified_from_the_train_stage(trained, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["/x/tfrespam/train.py", "--verify", str(trained[1])])
    train.main()
    assert "was reproduced bit for bit" in capsys.readouterr().out
