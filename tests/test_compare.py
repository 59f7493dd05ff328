"""The stage `compare`, with simulated trainings except in the last test."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tfrespam.cli import parse
from tfrespam.data.loading.prepared import all_under
from tfrespam.models import BUILDERS
from tfrespam.studies.comparison.plan import Comparison, trainings
from tfrespam.training.runs import run_folder

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
    assert name in ("ablation", "all_phantom", "crop_gain", "switches") or ("paper" in comparison.protocols) is not film


@pytest.mark.parametrize(("name", "network"), SHARING.items())
def test_shared_trainings_have_the_run_folder_of_table_1(name, network):
    def folders(comparison):
        return {run_folder(training.experiment) for training in trainings(read(comparison))
                if training.row == ("controlled", "folds", network)}  # fmt: skip

    assert folders(name) and folders(name) <= folders("table1")


def test_all_phantom_contains_every_network():
    comparison = read("all_phantom")
    assert sorted(network.name for network in comparison.models) == sorted(
        set(BUILDERS) - {"multi_input", "tiny", "tiny_rival"})  # pairs of pictures are another task
    assert [network.name for network in comparison.models][:7] == [n.name for n in read("table1_phantom").models]


def test_introduction_has_an_own_recipe_for_each_of_its_systems():
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
def test_parameters_of_every_network_and_ablation_can_be_matched(name):
    from tfrespam.studies.comparison import networks

    comparison = read(name)
    found = networks.matched(comparison)
    counts = networks.parameters(found)
    assert all(abs(count / comparison.match_parameters - 1) <= 0.02 for count in counts), counts
    attentions = {network.options.get("attention", "pam") for network in comparison.models}
    assert name != "ablation" or attentions == {"none", "se", "cbam", "scse", "pam"}


@pytest.mark.parametrize("name", ["table1", "table1_phantom"])
def test_table_1_has_the_seven_rows_of_the_paper_in_order(name):
    titles = [network.title for network in read(name).models]
    assert titles == ["DS U-Net", "AU-Net", "U-Net", "Connected-U-Nets", "SegNet", "Connected-SegNets", "ResPAM U-Net"]


def test_table_1_has_an_own_recipe_for_every_network():
    comparison = read("table1", "--recipes=[own]")
    recipes = {t.network.name: t.experiment.training for t in trainings(comparison) if t.protocol == "folds"}
    assert recipes["connected_unets"].loss == "dice_iou" and recipes["connected_unets"].learning_rate == 1e-4
    assert recipes["connected_segnets"].loss == "iou" and recipes["ds_unet"].optimizer == "adamw"
    assert (recipes["ds_unet"].side_loss, recipes["ds_unet"].side_decay_epochs) == ("log_dice", 100)
    assert {recipe.epochs for recipe in recipes.values()} == {26} and {r.ema for r in recipes.values()} == {0}
    assert all(network.own.departures for network in comparison.models)


@pytest.mark.parametrize("name", ["table1", "leakage"])
def test_both_protocols_have_the_same_number_of_steps(name):
    epochs = {t.protocol: t.experiment.training.epochs for t in trainings(read(name))}
    copies, lesions = 13_707, 0.8 * 1_318  # training examples of the paper's protocol and of four folds
    assert epochs["paper"] * copies == pytest.approx(epochs["folds"] * lesions, rel=0.01)


@pytest.mark.parametrize(("given", "expected"), [
    (["--only", "unet", "DS U-Net", "--folds", "0", "1"], {"only": ["unet", "DS U-Net"], "folds": [0, 1]}),
    (["--only=[unet]", "--dry_run"], {"only": ["unet"], "dry_run": True}),
    (["--dry_run", "false", "--output", "o"], {"dry_run": False, "output": "o"}),
    (["--only", "[unet,segnet]", "--dry_run", "--seeds", "1"], {"only": ["unet", "segnet"], "seeds": [1]}),
])  # fmt: skip
def test_lists_and_switches_are_parsed_from_the_command_line(given, expected):
    found = parse(Comparison, given)[1]
    assert {name: found[name] for name in expected} == expected


def test_unknown_keys_are_errors(tmp_path):
    config = tmp_path / "c.yaml"
    config.write_text(yaml.safe_dump({"name": "c", "models": [{"name": "unet", "widht": 1}]}))
    answer = subprocess.run([sys.executable, "-m", "tfrespam.compare", "--config", config], capture_output=True,
                            text=True, timeout=120)  # fmt: skip
    assert answer.returncode == 2 and "widht" in answer.stderr


@pytest.mark.slow
def test_compare_two_small_networks_from_films_to_table(download, tmp_path):
    """Real trainings in separate processes and exported graphs; the second call trains nothing."""
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
