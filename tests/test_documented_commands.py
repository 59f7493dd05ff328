"""Commands in the head comments of the experiments, run in order on a small data set."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import cbis_tree
import pytest
from real_tree import make_tree

from tfrespam import cli
from tfrespam.config import Experiment
from tfrespam.core.arguments import parse
from tfrespam.data.loading.prepared import all_under
from tfrespam.prepare import prepare
from tfrespam.studies.comparison.plan import Comparison, trainings
from tfrespam.workflows.training import check_prepared

FOLDER = Path(__file__).parents[1] / "experiments"
PATIENTS = 12
REAL_DATA = os.environ.get("TFRESPAM_REAL_DATA")


def commands(path: Path) -> list[list[str]]:
    """Return the words of each command in the head of a file, after `python -m tfrespam.`."""
    head = "".join(line for line in path.read_text(encoding="utf-8").splitlines(True) if line.startswith("#"))
    head = head.replace("\\\n#", " ")
    return [shlex.split(found, comments=True) for found in re.findall(r"^# +python -m tfrespam\.(.*)", head, re.M)]


REAL = sorted(path.name for path in FOLDER.glob("*.yaml") if "--source CBIS_DDSM" in path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return cbis_tree.write(tmp_path_factory.mktemp("tree"), [cbis_tree.Entry(f"P_{n:05}") for n in range(PATIENTS)])


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


def test_every_experiment_on_real_films_is_covered():
    assert {"leakage.yaml", "table1.yaml", "film.yaml", "respam_real.yaml", "respam_paper.yaml"} <= set(REAL)


@pytest.mark.parametrize("name", REAL)
def test_documented_prepare_makes_the_data_of_every_training(tree, home, name):
    told = commands(FOLDER / name)
    assert [words[0] for words in told][-1] != "prepare"
    for words in (words for words in told if words[0] == "prepare"):
        cli.run(prepare, [*(str(tree) if word == "CBIS_DDSM" else word for word in words[1:]), "--data_dir", str(home),
                          "--workers", "1"])  # fmt: skip
    for stage, *words in (words for words in told if words[0] in ("train", "compare")):
        words = [str(FOLDER.parent / word) if word.endswith(".yaml") else word for word in words]
        if stage == "train":
            experiments = [Experiment(**parse(Experiment, [*words, "--data_dir", str(home)])[1])]
        else:
            comparison = Comparison(**parse(Comparison, [*words, "--base.data_dir", str(home)])[1])
            experiments = [training.experiment for training in trainings(comparison)]
        for experiment in experiments:
            check_prepared(experiment)


@pytest.mark.parametrize("films", [
    pytest.param("generated", marks=pytest.mark.slow),
    pytest.param("real", marks=[pytest.mark.real, pytest.mark.skipif(not REAL_DATA, reason="no TFRESPAM_REAL_DATA")]),
])  # fmt: skip
def test_compare_leakage_runs_straight_after_prepare(tree, tmp_path, films):
    """As documented, except for one epoch and a thirtieth of the width."""
    if films == "real":
        tree = make_tree(tmp_path / "tree", "--limit", "40")
    (prepare_words, compare_words) = (words for words in commands(FOLDER / "leakage.yaml"))
    small = ["--base.training.epochs=1", "--base.training.warmup_epochs=0", "--base.model.width=0.03125",
             "--per_protocol={paper: {training: {epochs: 1}}}", "--folds=[1]", "--output=out"]  # fmt: skip
    for words, more in ((prepare_words, []), (compare_words, small)):
        words = [str(tree) if word == "CBIS_DDSM" else word.replace("experiments/", f"{FOLDER}/") for word in words]
        command = [sys.executable, "-m", f"tfrespam.{words[0]}", *words[1:], *more]
        answer = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=850)
        assert answer.returncode == 0, answer.stdout + answer.stderr
    known = json.loads((tmp_path / "out" / "table.json").read_text())
    assert {(row["protocol"], row["network"]) for row in known["rows"]} == {
        (protocol, network) for protocol in ("paper", "folds") for network in ("U-Net", "ResPAM U-Net")}  # fmt: skip
    assert {each.path.name for each in all_under(tmp_path / "datasets")} == {"roi-1.2-64", "roi-1.2-64-x13"}
