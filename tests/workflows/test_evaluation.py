"""Evaluation of exported models."""

import csv
import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from tfrespam.config import DataConfig
from tfrespam.core.errors import UserError
from tfrespam.data.loading import pipeline, protocols
from tfrespam.data.loading.prepared import Prepared
from tfrespam.evaluate import evaluate
from tfrespam.evaluation import confusion
from tfrespam.evaluation.trivial import TrivialMasks, trivial_dice
from tfrespam.serving.inference import saved_model
from tfrespam.workflows import evaluation
from tfrespam.workflows.preparation import prepare_source

KEYS = ["model", "experiment", "dataset", "protocol", "split", "n_images", "n_patients", "coverage", "threshold",
        "metrics", "trivial", "skill", "leak_audit", "parameters", "flops", "seconds", "versions", "command", "seed",
        "git", "data_sha256", "machine", "settings", "images_seen"]  # fmt: skip
OVERLAPS = {"dice", "iou", "miou", "precision", "sensitivity", "specificity"}
DISTANCES = {"hd95_px", "assd_px", "nsd_2px"}


@pytest.fixture(scope="module")
def exported(trained):
    return f"{trained[0].models_dir}/exp"


def run(output, **options):
    evaluate(str(output), **options)
    summary = json.loads((output / "summary.json").read_text())
    with open(output / "per_image.csv", newline="") as file:
        return summary, list(csv.DictReader(file))


@pytest.fixture(scope="module")
def tested(exported, data_dir, tmp_path_factory):
    """The test split, evaluated by the stage."""
    return run(tmp_path_factory.mktemp("judged"), model=exported, data_dir=str(data_dir), split="test")


def test_summary_has_exactly_the_documented_keys(tested):
    summary, rows = tested
    assert list(summary) == KEYS
    assert set(confusion.SCORES) >= OVERLAPS and set(summary["metrics"]) == set(confusion.SCORES) | DISTANCES
    for name in confusion.SCORES:
        assert set(summary["metrics"][name]) == {"image", "image_ci95", "pooled"}
    for name in DISTANCES:
        assert {"image", "image_ci95"} <= set(summary["metrics"][name])
    assert set(summary["trivial"]) == {"all_ones", "centred_ellipse", "mean_mask"}
    assert summary["leak_audit"] == {"copy": 0, "film": 0, "breast": 0, "patient": 0}
    best = max(summary["trivial"].values())
    assert summary["skill"] == pytest.approx((summary["metrics"]["dice"]["image"] - best) / (1 - best))
    assert (summary["model"], summary["experiment"], summary["dataset"]) == ("tiny", "exp", "tiny")
    assert (summary["protocol"], summary["split"]) == ("official", "test")
    assert (summary["threshold"], summary["seed"]) == (0.5, 0)
    assert summary["n_images"] == len(rows) and summary["n_patients"] == len({row["patient_id"] for row in rows}) == 1
    assert summary["parameters"] == 4 * 9 + 4 + 4 * 4 + 4 + 1 and summary["flops"] > 1e4
    assert summary["versions"]["tensorflow"] and summary["seconds"] > 0


def test_rows_match_scores_of_the_exported_graph_in_index_order(tested, exported, prepared):
    _, rows = tested
    chosen = prepared.table["split"] == "test"
    assert [row["lesion_id"] for row in rows] == prepared.table["lesion_id"][chosen].tolist()
    model = saved_model.load(exported)
    batches = list(pipeline.evaluation(prepared, chosen, batch_size=5).as_numpy_iterator())
    masks = np.concatenate([mask[..., 0] for _, mask in batches]) > 0
    found = np.concatenate([model.predict_images(images)[..., 0] for images, _ in batches]) >= 0.5
    counts = confusion.count_pixels(masks, found)
    for name, score in confusion.SCORES.items():
        np.testing.assert_allclose([float(row[name]) for row in rows], score(counts), rtol=0, atol=1e-6)


def test_evaluate_reproduces_the_scores_of_train(tested, trained):
    summary, rows = tested
    written = json.loads((trained[1] / "test" / "summary.json").read_text())
    for key in set(KEYS) - {"seconds", "command", "git"}:
        assert summary[key] == written[key], key
    with open(trained[1] / "test" / "per_image.csv", newline="") as file:
        assert list(csv.DictReader(file)) == rows


def test_data_dir_may_be_the_folder_of_the_data_set(tested, exported, prepared, tmp_path):
    summary, rows = run(tmp_path, model=f"{exported}/1", data_dir=str(prepared.path), split="test")
    assert rows == tested[1] and summary["metrics"] == tested[0]["metrics"]


def test_the_newest_model_is_evaluated_by_default(tested, trained, data_dir, tmp_path, monkeypatch):
    (tmp_path / "saved_models").symlink_to(trained[0].models_dir)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TFRESPAM_DATA_DIR", str(data_dir))
    _, rows = run(tmp_path / "out", split="test", threshold=0.5)
    assert rows == tested[1]


def test_threshold_can_be_chosen(exported, data_dir, tmp_path):
    summary, rows = run(tmp_path, model=exported, data_dir=str(data_dir), split="test", threshold=1e-6)
    assert summary["threshold"] == 1e-6 and summary["metrics"]["sensitivity"]["image"] == 1.0
    assert summary["metrics"]["dice"]["image"] == pytest.approx(summary["trivial"]["all_ones"])


def test_training_lesions_can_be_evaluated_and_are_counted(exported, data_dir, tmp_path, prepared):
    summary, _ = run(tmp_path, model=exported, data_dir=str(data_dir), split="train")
    count = int(protocols.splits(prepared.table, "official")["train"].sum())
    assert summary["leak_audit"] == {"copy": count, "film": count, "breast": count, "patient": count}


def test_a_model_trained_on_the_patients_is_rejected(exported, data_dir, tmp_path, prepared):
    """Fold 1 was trained on when fold 0 was held out."""
    with pytest.raises(UserError, match="protocol 'folds' leaks: .* share a copy.* share a patient"):
        run(tmp_path, model=exported, data_dir=str(data_dir), protocol="folds", fold=1)
    assert not list(tmp_path.iterdir())
    summary, _ = run(tmp_path, model=exported, data_dir=str(data_dir), protocol="folds", fold=0)
    assert summary["protocol"] == "folds" and summary["leak_audit"]["patient"] == 0


def test_error_for_an_empty_split_names_the_other_splits(exported, data_dir, tmp_path, prepared):
    parts = protocols.splits(prepared.table, "folds", 0)
    train, validation = parts["train"].sum(), parts["validation"].sum()
    with pytest.raises(UserError, match=re.escape(f"Splits with examples: train ({train}), validation ({validation})")):
        run(tmp_path, model=exported, data_dir=str(data_dir), protocol="folds", split="test")


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    """Data sets: a folder of images, each of another patient, and one with only a test list."""
    import cbis_tree

    home = tmp_path_factory.mktemp("other")
    for number in range(6):
        mask = np.zeros((60, 40), np.uint8)
        mask[20 : 40 - number, 10:30] = 255
        for place, picture in (("images", mask // 3 + 40), ("masks", mask)):
            (home / "in" / place).mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(home / "in" / place / f"p{number}.png")
    prepare_source(home / "in", home / "datasets", "pictures", "roi", 1.6, 32, workers=1)
    entries = [cbis_tree.Entry(f"P_{number:05}", split="Test") for number in range(3)]
    cbis_tree.write(home / "tests", entries, lists=("test",))
    prepare_source(home / "tests", home / "datasets", "tests", "roi", 1.6, 32, workers=1)
    return home / "datasets"


def test_evaluation_on_another_data_set_is_reported(exported, other, tmp_path, capsys):
    named, _ = run(tmp_path, model=exported, data_dir=str(other), dataset="pictures")
    assert "the model was trained on" not in capsys.readouterr().out
    summary, _ = run(tmp_path, model=exported, data_dir=str(other / "pictures"))
    assert summary["metrics"] == named["metrics"]
    assert summary["dataset"] == "pictures" and not any(summary["leak_audit"].values())
    told = capsys.readouterr().out
    assert "the model was trained on tiny/roi-1.6-32; evaluating on" in told and "Dice" in told
    assert str(tmp_path / "summary.json") in told
    with pytest.raises(UserError, match="'tiny' is not prepared as .*Found there: pictures/roi-1.6-32, tests"):
        run(tmp_path, model=exported, data_dir=str(other))


def test_equal_patient_ids_of_another_data_set_are_allowed_and_reported(exported, other, tmp_path, capsys):
    """Both data sets number their patients from 1, which is allowed and reported."""
    model = shutil.copytree(f"{exported}/1", tmp_path / "model")
    pictures = Prepared(next((other / "pictures").iterdir()))
    facts = json.loads((model / "metadata.json").read_text())
    seen = protocols.identities(pictures.table, np.ones(6, bool))
    facts["trained_on"] = seen | {"source": facts["trained_on"]["source"]}
    (model / "metadata.json").write_text(json.dumps(facts))
    summary, _ = run(tmp_path / "out", model=str(model), data_dir=str(other), dataset="pictures", protocol="folds")
    assert summary["of_other_sources"] and summary["leak_audit"]["patient"] == summary["n_patients"]
    evaluation.say(summary, tmp_path)
    assert "same ids as training patients, but belong to another data set" in capsys.readouterr().out
    facts["trained_on"] = seen
    (model / "metadata.json").write_text(json.dumps(facts))
    with pytest.raises(UserError, match="leaks"):
        run(tmp_path / "again", model=str(model), data_dir=str(other), dataset="pictures", protocol="folds")


def test_a_data_set_with_only_a_test_list_can_be_evaluated(exported, other, tmp_path):
    summary, rows = run(tmp_path, model=exported, data_dir=str(other / "tests" / "roi-1.6-32"), split="test")
    assert summary["n_images"] == len(rows) == 3 and summary["dataset"] == "tests"
    with pytest.raises(UserError, match=r"split 'validation'.*Splits with examples: test \(3\)"):
        run(tmp_path, model=exported, data_dir=str(other / "tests" / "roi-1.6-32"))


def test_a_graph_without_metadata_can_be_evaluated(exported, other, tmp_path, capsys):
    shutil.copytree(f"{exported}/1", tmp_path / "model")
    (tmp_path / "model" / "metadata.json").unlink()
    summary, _ = run(tmp_path / "out", model=str(tmp_path / "model"), data_dir=str(other), dataset="pictures")
    assert list(summary) == KEYS[:-1] and summary["parameters"] is None
    assert set(summary["leak_audit"].values()) == {None}  # a split that nobody trained on tells nothing of the model
    evaluation.say(summary, tmp_path)
    assert "it may have been trained on these patients" in capsys.readouterr().out


def test_the_matching_preparation_is_chosen(other, data_dir, prepared):
    data = DataConfig(dataset="tiny", image_size=32)
    assert evaluation.choose(str(data_dir), data).path == prepared.path
    with pytest.raises(UserError, match="'phantom' is not prepared"):
        evaluation.choose(str(other), DataConfig(image_size=32))


@pytest.mark.slow
def test_evaluate_works_as_a_command(exported, data_dir, tmp_path, tested):
    command = [sys.executable, "-m", "tfrespam.evaluate", "--model", exported, "--data_dir", str(data_dir),
               "--protocol", "official", "--split", "test", "--output", str(tmp_path)]  # fmt: skip
    answer = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert answer.returncode == 0 and answer.stderr == ""
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["metrics"] == tested[0]["metrics"]
    assert summary["command"] == "python -m " + " ".join(command[2:])


def test_trivial_masks_are_those_of_the_context_of_the_images(exported, download, tmp_path):
    """Masks of a training at context 1.6 are smaller than those in crops at 1.2, and a poor standard for them."""
    prepare_source(download, tmp_path, "tiny", "roi", 1.2, 32, workers=1)
    summary, _ = run(tmp_path / "out", model=exported, data_dir=str(tmp_path), split="test")
    prepared = Prepared(tmp_path / "tiny" / "roi-1.2-32")
    splits = protocols.splits(prepared.table, "official")
    fitted = TrivialMasks.fit(evaluation.masks(prepared, splits["train"]))
    expected = trivial_dice(evaluation.masks(prepared, splits["test"]), fitted)
    assert summary["trivial"] == pytest.approx(expected)
