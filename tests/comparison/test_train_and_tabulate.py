"""The stage `compare` with simulated trainings."""

import json
from pathlib import Path

import pytest
from fake_runs import write_run

from tfrespam.config import DataConfig, Experiment
from tfrespam.core.errors import UserError
from tfrespam.studies.comparison import runner
from tfrespam.studies.comparison import train_and_tabulate as stage
from tfrespam.studies.comparison.plan import Comparison, Network
from tfrespam.training.runs import run_folder


@pytest.fixture
def comparison(tmp_path, monkeypatch):
    """Comparison of two networks under two protocols; the data set counts as prepared."""
    monkeypatch.setattr(stage, "_check_data", lambda wanted: None)
    base = Experiment(name="b", data_dir=str(tmp_path / "data"), runs_dir=str(tmp_path / "runs"),
                      models_dir=str(tmp_path / "models"), data=DataConfig(dataset="films"))  # fmt: skip
    return Comparison(name="c", base=base, models=[Network("unet"), Network("segnet")], output=str(tmp_path / "out"))


@pytest.fixture
def launched(monkeypatch):
    """Started trainings: (network, protocol). SegNet fails under the paper's protocol."""
    done = []

    def launch(training, config, log):
        done.append((training.network.name, training.protocol))
        log.write_text("Traceback\nMemoryError: too much\n")
        if done[-1] == ("segnet", "paper"):
            return 1
        good = {"paper": 38, "folds": 34}[training.protocol] - 2 * (training.network.name == "segnet")
        images = {f"p{number} 1": (good - number, 3, 2) for number in range(5)}
        write_run(run_folder(training.experiment), images, protocol=training.protocol, dataset="films")
        return 0

    monkeypatch.setattr(runner, "launch", launch)
    return done


def test_a_failure_is_reported_and_the_others_are_tabulated(comparison, launched, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        stage.compare(comparison)
    assert ended.value.code == 1 and len(launched) == 4
    said = capsys.readouterr()
    assert "error: 1 of this comparison's steps failed" in said.err
    assert "SegNet, controlled recipe, paper, seed 0:" in said.err and "MemoryError: too much" in said.err
    assert "U-Net" in said.out
    known = json.loads((tmp_path / "out" / "table.json").read_text())
    assert [(row["protocol"], row["network"]) for row in known["rows"]] == [
        ("paper", "U-Net"), ("folds", "U-Net"), ("folds", "SegNet")]  # fmt: skip
    assert [cost["network"] for cost in known["leakage"]] == ["U-Net"]
    assert known["leakage"][0]["dice_leakage"] == pytest.approx(known["rows"][0]["dice"] - known["rows"][1]["dice"])


def test_the_same_command_resumes(comparison, launched, tmp_path):
    for _ in range(2):
        with pytest.raises(SystemExit):
            stage.compare(comparison)
    assert launched[4:] == [("segnet", "paper")]


def test_only_trains_the_selected_networks_and_tabulates_all(comparison, launched, tmp_path):
    comparison.only = ["SegNet"]
    comparison.protocols = ["folds"]
    stage.compare(comparison)
    comparison.only = ["unet"]
    stage.compare(comparison)
    assert launched == [("segnet", "folds"), ("unet", "folds")]
    assert len(json.loads((tmp_path / "out" / "table.json").read_text())["rows"]) == 2


def test_a_damaged_run_is_reported(comparison, launched, tmp_path, capsys):
    comparison.protocols = ["folds"]
    stage.compare(comparison)
    damaged = next((tmp_path / "runs" / "b-segnet").iterdir())
    (damaged / "history.csv").write_text("epoch,loss\n1,much\n")
    with pytest.raises(SystemExit):
        stage.compare(comparison)
    assert "contains a damaged file" in capsys.readouterr().err
    assert len(json.loads((tmp_path / "out" / "table.json").read_text())["rows"]) == 1


def test_runs_on_different_examples_are_not_tabulated_together(comparison, launched, tmp_path, capsys):
    """The data set was prepared anew between the two trainings; runs of earlier releases do not record its digest."""
    comparison.protocols = ["folds"]
    stage.compare(comparison)
    for name, digest in (("unet", "a"), ("segnet", "b")):
        (file,) = (tmp_path / "runs" / f"b-{name}").glob("*/summary.json")
        file.write_text(json.dumps(json.loads(file.read_text()) | {"data_sha256": digest}))
    with pytest.raises(SystemExit):
        stage.compare(comparison)
    assert "SegNet" in (said := capsys.readouterr().err) and "on other examples than those in the data set now" in said
    assert [row["network"] for row in json.loads((tmp_path / "out" / "table.json").read_text())["rows"]] == ["U-Net"]


@pytest.mark.parametrize("recorded", [{"index_sha256": "b"}, {"index_sha256": "a", "wider_index_sha256": "b"}])
def test_runs_that_were_trained_on_different_examples_are_not_tabulated(comparison, launched, tmp_path, recorded):
    """The evaluation alone does not show it: the data set was prepared anew before it, or only that of wider crops."""
    comparison.protocols = ["folds"]
    stage.compare(comparison)
    trained = {"unet": {"index_sha256": "a", "wider_index_sha256": "a"}, "segnet": recorded}
    for name, digests in trained.items():
        (file,) = (tmp_path / "runs" / f"b-{name}").glob("*/summary.json")
        file.write_text(json.dumps(json.loads(file.read_text()) | {"data_sha256": "a"}))
        (file.parent / "data.json").write_text(json.dumps(digests))
    with pytest.raises(SystemExit):
        stage.compare(comparison)
    assert [row["network"] for row in json.loads((tmp_path / "out" / "table.json").read_text())["rows"]] == ["U-Net"]


def test_images_of_patients_are_not_written_to_the_results(comparison, launched, tmp_path):
    comparison.protocols = ["folds"]
    stage.compare(comparison)
    for run in (tmp_path / "runs").glob("*/*"):
        (run / "cases.png").write_bytes(_png())
        (run / "probe.json").write_text(json.dumps({"seconds_per_image": 0.1, "cases": _CASES}))
    stage.compare(comparison)
    assert not list((tmp_path / "out").rglob("cases*"))
    assert (tmp_path / "runs" / "b-cases" / "cases-controlled-folds.png").exists()


_CASES = {name: {"dice": 0.5} for name in ("best", "median", "worst")}


def _png() -> bytes:
    import cv2
    import numpy as np

    return cv2.imencode(".png", np.zeros((48, 48, 3), np.uint8))[1].tobytes()


def test_a_missing_data_set_is_reported_before_any_training(comparison, launched, monkeypatch):
    monkeypatch.undo()
    with pytest.raises(UserError, match="data set 'films' is not prepared .* python -m tfrespam.prepare"):
        stage.compare(comparison)
    assert launched == []


def test_dry_run_trains_nothing(comparison, launched, capsys):
    comparison.dry_run = True
    comparison.base.model.width = 0.03125
    comparison.base.data.image_size = 32
    stage.compare(comparison)
    said = capsys.readouterr().out
    assert launched == [] and "4 trainings, 0 of them finished" in said
    assert "SegNet" in said and "31,083" in said  # parameters of U-Net
    assert said.count("missing: data set 'films' is not prepared as roi-1.6-32") == 1 and "Prepare it with:" in said


def test_dry_run_finds_unknown_options(comparison):
    comparison.dry_run = True
    comparison.models = [Network("unet", options={"depth": 3})]
    with pytest.raises(UserError, match="network 'unet': .*Options of 'unet' are .* Received: depth"):
        stage.compare(comparison)


def test_matched_widths_reach_the_plan(comparison, launched, monkeypatch):
    monkeypatch.setattr(stage, "matched", lambda given: _with_widths(given, (0.125, 0.5)))
    comparison.match_parameters, comparison.protocols = 5000, ["folds"]
    stage.compare(comparison)
    rows = json.loads((Path(comparison.output) / "table.json").read_text())["rows"]
    assert {row["network"]: row["width"] for row in rows} == {"U-Net": 0.125, "SegNet": 0.5}
    assert "5,000 parameters within 2 %" in (Path(comparison.output) / "table.md").read_text()


def _with_widths(comparison: Comparison, widths: tuple[float, ...]) -> Comparison:
    import dataclasses

    models = [dataclasses.replace(network, width=width)
              for network, width in zip(comparison.models, widths, strict=True)]  # fmt: skip
    return dataclasses.replace(comparison, models=models)
