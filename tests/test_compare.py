"""The stage as a whole. Trainings are made up, but for the last test's."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from fake_runs import write_run

from tfrespam import compare as stage
from tfrespam.cli import parse
from tfrespam.comparison import runner
from tfrespam.comparison.plan import Comparison, Network, trainings
from tfrespam.config import DataConfig, Experiment
from tfrespam.data.prepared import all_under
from tfrespam.errors import UserError
from tfrespam.models import BUILDERS
from tfrespam.train import run_folder

FOLDER = Path(__file__).parents[1] / "experiments"
SHARING = {"switches": "ResPAM U-Net", "ablation": "ResPAM U-Net", "introduction": "U-Net"}
COMPARISONS = sorted(path.stem for path in FOLDER.glob("*.yaml") if "tfrespam.compare" in path.read_text("utf-8"))


def read(name: str, *options: str) -> Comparison:
    return Comparison(**parse(Comparison, ["--config", str(FOLDER / f"{name}.yaml"), *options])[1])


@pytest.mark.parametrize("name", COMPARISONS)
def test_committed_comparisons_are_valid(name):
    comparison = read(name)
    planned = trainings(comparison)
    assert len({run_folder(training.experiment) for training in planned}) == len(planned)
    shares = "table1" if name in SHARING else name  # one of its rows is a training of that comparison
    assert comparison.base.name == shares and comparison.name.partition("-")[0] == name.partition("_")[0]
    text = (FOLDER / f"{name}.yaml").read_text(encoding="utf-8")
    assert f"python -m tfrespam.compare --config experiments/{name}.yaml" in text
    film = comparison.base.data.view == "film"
    assert name in ("ablation", "all_phantom", "switches") or ("paper" in comparison.protocols) is not film


@pytest.mark.parametrize(("name", "network"), SHARING.items())
def test_what_shares_a_training_of_table_1(name, network):
    def folders(comparison):
        return {run_folder(training.experiment) for training in trainings(read(comparison))
                if training.row == ("controlled", "folds", network)}  # fmt: skip

    assert len(folders(name)) == 1 and folders(name) <= folders("table1")


def test_all_networks_take_part_in_all_phantom():
    comparison = read("all_phantom")
    assert sorted(network.name for network in comparison.models) == sorted(
        set(BUILDERS) - {"multi_input", "tiny", "tiny_rival"})  # pairs of pictures are another task
    assert [network.name for network in comparison.models][:7] == [n.name for n in read("table1_phantom").models]


def test_the_introductions_five_systems_have_their_own_recipes():
    comparison = read("introduction")
    recipes = {t.network.name: t.experiment.training for t in trainings(comparison)
               if (t.recipe, t.protocol) == ("own", "folds")}  # fmt: skip
    assert set(recipes) == {"cgan", "fc_densenet_ms", "prior_knowledge_net", "attention_dense_unet", "ru_net", "unet"}
    cgan = recipes["cgan"]
    assert (cgan.loss, cgan.loss_weight, cgan.learning_rate, cgan.momentum) == ("dice", 150, 2e-4, 0.5)
    assert recipes["fc_densenet_ms"].loss == "weighted_bce" and recipes["fc_densenet_ms"].optimizer == "sgd"
    assert {recipe.epochs for recipe in recipes.values()} == {26}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ablation", "introduction"])
def test_every_network_and_every_ablation_can_be_matched_in_parameters(name):
    from tfrespam.comparison import networks

    comparison = read(name)
    found = networks.matched(comparison)
    counts = networks.parameters(found)
    assert all(abs(count / comparison.match_parameters - 1) <= 0.02 for count in counts), counts
    attentions = {network.options.get("attention", "pam") for network in comparison.models}
    assert name != "ablation" or attentions == {"none", "se", "cbam", "scse", "pam"}


@pytest.mark.parametrize("name", ["table1", "table1_phantom"])
def test_table_1_has_the_papers_seven_rows_in_its_order(name):
    titles = [network.title for network in read(name).models]
    assert titles == ["DS U-Net", "AU-Net", "U-Net", "Connected-U-Nets", "SegNet", "Connected-SegNets", "ResPAM U-Net"]


def test_table_1_has_every_systems_own_recipe():
    comparison = read("table1", "--recipes=[own]")
    recipes = {t.network.name: t.experiment.training for t in trainings(comparison) if t.protocol == "folds"}
    assert recipes["connected_unets"].loss == "dice_iou" and recipes["connected_unets"].learning_rate == 1e-4
    assert recipes["connected_segnets"].loss == "iou" and recipes["ds_unet"].optimizer == "adamw"
    assert (recipes["ds_unet"].side_loss, recipes["ds_unet"].side_decay_epochs) == ("log_dice", 100)
    assert {recipe.epochs for recipe in recipes.values()} == {26} and {r.ema for r in recipes.values()} == {0}
    assert all(network.own.departures for network in comparison.models)


@pytest.mark.parametrize("name", ["table1", "leakage"])
def test_both_protocols_take_as_many_steps(name):
    epochs = {t.protocol: t.experiment.training.epochs for t in trainings(read(name))}
    copies, lesions = 13_707, 0.8 * 1_318  # training examples of the paper's protocol and of four folds
    assert epochs["paper"] * copies == pytest.approx(epochs["folds"] * lesions, rel=0.01)


@pytest.fixture
def comparison(tmp_path, monkeypatch):
    """Two networks under two protocols, whose data set is taken to be prepared."""
    monkeypatch.setattr(stage, "_check_data", lambda wanted: None)
    base = Experiment(name="b", data_dir=str(tmp_path / "data"), runs_dir=str(tmp_path / "runs"),
                      models_dir=str(tmp_path / "models"), data=DataConfig(dataset="films"))  # fmt: skip
    return Comparison(name="c", base=base, models=[Network("unet"), Network("segnet")], output=str(tmp_path / "out"))


@pytest.fixture
def launched(monkeypatch):
    """What was trained: (network, protocol). SegNet fails under the paper's protocol."""
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
    assert known["leakage"][0]["dice_cost"] == pytest.approx(known["rows"][0]["dice"] - known["rows"][1]["dice"])


def test_the_same_command_goes_on(comparison, launched, tmp_path):
    for _ in range(2):
        with pytest.raises(SystemExit):
            stage.compare(comparison)
    assert launched[4:] == [("segnet", "paper")]


def test_only_trains_some_and_shows_all(comparison, launched, tmp_path):
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
    assert "cannot be read" in capsys.readouterr().err
    assert len(json.loads((tmp_path / "out" / "table.json").read_text())["rows"]) == 1


def test_runs_on_other_examples_do_not_stand_beside_each_other(comparison, launched, tmp_path, capsys):
    """The data set was prepared anew between the two trainings; runs of earlier releases tell nothing of it."""
    comparison.protocols = ["folds"]
    stage.compare(comparison)
    for name, digest in (("unet", "a"), ("segnet", "b")):
        (file,) = (tmp_path / "runs" / f"b-{name}").glob("*/summary.json")
        file.write_text(json.dumps(json.loads(file.read_text()) | {"data_sha256": digest}))
    with pytest.raises(SystemExit):
        stage.compare(comparison)
    assert "SegNet" in (said := capsys.readouterr().err) and "on other examples than the data set holds by now" in said
    assert [row["network"] for row in json.loads((tmp_path / "out" / "table.json").read_text())["rows"]] == ["U-Net"]


def test_nothing_of_patients_is_drawn_into_the_results(comparison, launched, tmp_path):
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


def test_a_missing_data_set_is_named_before_any_training(comparison, launched, monkeypatch):
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


def test_dry_run_finds_unknown_options(comparison):
    comparison.dry_run = True
    comparison.models = [Network("unet", options={"depth": 3})]
    with pytest.raises(UserError, match="network 'unet': .*Options of 'unet' are .* Received: depth"):
        stage.compare(comparison)


def test_matched_widths_reach_the_plan(comparison, launched, monkeypatch):
    from tfrespam.comparison import networks

    monkeypatch.setattr(networks, "matched", lambda given: _with_widths(given, (0.125, 0.5)))
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


@pytest.mark.parametrize(("given", "expected"), [
    (["--only", "unet", "DS U-Net", "--folds", "0", "1"], {"only": ["unet", "DS U-Net"], "folds": [0, 1]}),
    (["--only=[unet]", "--dry_run"], {"only": ["unet"], "dry_run": True}),
    (["--dry_run", "false", "--output", "o"], {"dry_run": False, "output": "o"}),
    (["--only", "[unet,segnet]", "--dry_run", "--seeds", "1"], {"only": ["unet", "segnet"], "seeds": [1]}),
])  # fmt: skip
def test_lists_and_switches_are_typed_as_elsewhere(given, expected):
    found = parse(Comparison, given)[1]
    assert {name: found[name] for name in expected} == expected


def test_unknown_keys_are_errors(tmp_path):
    config = tmp_path / "c.yaml"
    config.write_text(yaml.safe_dump({"name": "c", "models": [{"name": "unet", "widht": 1}]}))
    answer = subprocess.run([sys.executable, "-m", "tfrespam.compare", "--config", config], capture_output=True,
                            text=True, timeout=120)  # fmt: skip
    assert answer.returncode == 2 and "widht" in answer.stderr


@pytest.mark.slow
def test_two_small_networks_from_films_to_table(download, tmp_path):
    """Real trainings in processes of their own, and exported graphs looked at; then again without any training."""
    home = tmp_path / "datasets" / "phantom"
    home.mkdir(parents=True)
    os.symlink(download, home / "download")
    settings = {
        "name": "two", "protocols": ["folds", "paper"],
        "base": {"name": "two", "models_dir": "models", "data": {"dataset": "phantom", "context": 1.2,
                 "image_size": 32}, "model": {"width": 0.03125}, "training": {"epochs": 1, "tensorboard_images": 0}},
        "models": [{"name": "unet"}, {"name": "segnet"}],
    }  # fmt: skip
    (tmp_path / "two.yaml").write_text(yaml.safe_dump(settings))
    command = [sys.executable, "-m", "tfrespam.compare", "--config", "two.yaml", "--output", "out"]
    first = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=850)
    assert first.returncode == 0, first.stdout + first.stderr
    known = json.loads((tmp_path / "out" / "table.json").read_text())
    assert len(known["rows"]) == 4 and len(known["leakage"]) == 2 and len(all_under(tmp_path / "datasets")) == 2
    assert all(row["inference_seconds"] > 0 and row["parameters"] > 0 for row in known["rows"])
    assert (tmp_path / "out" / "cases-controlled-folds.png").exists()
    assert len(list((tmp_path / "out" / "logs").iterdir())) == 4
    again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert again.returncode == 0 and "4 of them finished already" in again.stdout
    assert json.loads((tmp_path / "out" / "table.json").read_text())["rows"] == known["rows"]
