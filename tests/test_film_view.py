"""Whole films from end to end: a network trained on films, and one trained on crops that scans them."""

import csv
import json

import cv2
import numpy as np
import pytest
import tiny

from tfrespam import evaluate
from tfrespam.config import DataConfig
from tfrespam.data import cbis_ddsm, pipeline
from tfrespam.data.prepared import Prepared
from tfrespam.evaluation import detection
from tfrespam.predict import predict
from tfrespam.prepare import prepare_source
from tfrespam.serving import saved_model
from tfrespam.train import run_folder, train


def read(folder):
    with open(folder / "candidates.csv", newline="", encoding="utf-8") as file:
        return json.loads((folder / "summary.json").read_text()), list(csv.DictReader(file))


@pytest.fixture(scope="module")
def films(download, tmp_path_factory):
    """The phantom download as whole films, small for training and large for scanning."""
    home = tmp_path_factory.mktemp("films")
    for size in (tiny.SIZE, 192):
        prepare_source(download, home, "tiny", "film", 1.6, size, workers=1)
    return home


class Oracle:
    """An exported model that knows the masks: it finds every mass, and sees another one in a corner."""

    def __init__(self, prepared, view: str):
        self.metadata = {"data": {"view": view}, "threshold": 0.5, "film_threshold": 0.9}
        batches = pipeline.evaluation(prepared, prepared.table["split"] == "test", batch_size=99).as_numpy_iterator()
        ((self.images, self.masks),) = batches
        self.asked = []

    def _answer(self, images, how):
        self.asked.append(how)
        numbers = [np.flatnonzero((self.images == image).all(axis=(1, 2, 3)))[0] for image in images]
        probability = self.masks[numbers] * np.float32(0.95)
        probability[:, :6, :6] = 0.7
        return probability

    def predict_images(self, images):
        return self._answer(images, "predict_images")

    def scan_images(self, images):
        return self._answer(images, "scan_images")


@pytest.mark.parametrize(("view", "asked", "false"), [("film", "predict_images", 1.0), ("roi", "scan_images", 0.0)])
def test_evaluation_on_films_counts_masses_and_false_alarms(films, tmp_path, capsys, view, asked, false):
    """Which goes to the network whole, or is scanned; a crop network's candidates start at its own threshold."""
    prepared = Prepared(films / "tiny" / "film-192")
    oracle = Oracle(prepared, view)
    data = DataConfig(dataset="tiny", view="film", image_size=192)
    evaluate.say(evaluate.judge(oracle, prepared, data, "test", tmp_path), tmp_path)
    summary, rows = read(tmp_path)
    found = summary["detection"]
    assert set(oracle.asked) == {asked} and summary["threshold"] == (0.5 if view == "film" else 0.9)
    films_judged = len(oracle.images)
    assert found["n_candidates"] == len(rows) == found["n_lesions"] + false * films_judged
    for criterion in ("iou_0.1", "iou_0.5"):
        assert found[criterion]["all_candidates"] == {"sensitivity": 1.0, "fp_per_image": false}
        assert {row["value"] for row in found[criterion]["sensitivity"].values()} == {1.0}
    assert sum(float(row["best_iou"]) == 0 for row in rows) == false * films_judged
    assert 0 < summary["trivial"]["mean_mask"] < 0.5  # fitted on these films
    assert "share of the masses found" in capsys.readouterr().out


def test_scores_that_nothing_is_known_of_can_be_said(capsys):
    scores = detection.detection_scores([detection.Finding(0, ())], ["a"], resamples=5)
    evaluate._say_detection(scores)
    evaluate._say_detection(json.loads(json.dumps(scores).replace("NaN", "null")))  # as summary.json holds it
    assert capsys.readouterr().out.count("unknown (unknown-unknown)") == 12


@pytest.fixture(scope="module")
def on_films(films, tmp_path_factory):
    """A network trained on whole films: (exported, run folder)."""
    made = tiny.experiment(tmp_path_factory.mktemp("run"), films, data__view="film", training__tensorboard_images=0)
    train(made)
    return saved_model.load(f"{made.models_dir}/exp"), run_folder(made)


@pytest.mark.slow
def test_training_on_films_counts_masses_and_false_alarms(on_films, films):
    exported, run = on_films
    assert exported.metadata["keep_aspect"] is True and exported.metadata["tile_shares"] == [1.0]
    summary, rows = read(run / "test")
    found = summary["detection"]
    assert found["score"] == "max" and found["n_candidates"] == len(rows)
    assert set(found) == {"score", "n_lesions", "n_candidates", "iou_0.1", "iou_0.5"}
    for criterion in ("iou_0.1", "iou_0.5"):
        assert set(found[criterion]["sensitivity"]) == {"fp_0.5", "fp_1", "fp_2"}
    assert json.loads((run / "summary.json").read_text())["detection"] == found


@pytest.mark.slow
def test_the_summarys_detection_is_that_of_the_exported_graph(on_films, films):
    exported, run = on_films
    prepared = Prepared(films / "tiny" / f"film-{tiny.SIZE}")
    chosen = prepared.table["split"] == "test"
    ((images, masks),) = pipeline.evaluation(prepared, chosen, batch_size=99).as_numpy_iterator()
    findings = [detection.find(mask[..., 0], probability[..., 0])
                for mask, probability in zip(masks, exported.predict_images(images), strict=True)]  # fmt: skip
    scores = detection.detection_scores(findings, prepared.table["patient_id"][chosen])
    written = read(run / "test")[0]["detection"]
    assert scores["n_lesions"] > 0
    assert json.loads(json.dumps({"score": "max", **scores}).replace("NaN", "null")) == written


@pytest.mark.slow
def test_a_film_network_answers_at_the_films_size(on_films, download, tmp_path):
    exported, _ = on_films
    film = sorted(download.rglob("*.dcm"), key=lambda file: file.stat().st_size)[-1]
    predict(str(film), output=str(tmp_path), model=str(exported.path), threshold=0.01)
    with open(tmp_path / "predictions.csv", newline="") as file:
        (row,) = csv.DictReader(file)
    mask = cv2.imread(str(next(tmp_path.glob("*_mask.png"))), cv2.IMREAD_UNCHANGED)
    assert row["region"] == "film" and mask.shape == (int(row["height"]), int(row["width"]))
    assert min(mask.shape) > 300 and 0 < np.mean(mask > 0) < 0.9  # at most the breast


def test_a_film_holds_all_its_masses(download, films):
    prepared = Prepared(films / "tiny" / "film-192")
    several = {film.film_id: film for film in cbis_ddsm.scan(download).films if len(film.lesions) > 1}
    assert several
    everything = pipeline.encoded(prepared, np.ones(len(prepared.table["film_id"]), bool))
    examples = {row["film_id"].decode(): row for row in everything.as_numpy_iterator()}
    for name, film in several.items():
        stored = cv2.imdecode(np.frombuffer(examples[name]["mask"], np.uint8), cv2.IMREAD_UNCHANGED)
        y0, x0, y1, _ = examples[name]["crop"]
        for _, mask in cbis_ddsm.read(film).masks:
            row, column = np.argwhere(mask).mean(axis=0)
            assert stored[int((row - y0) * 192 / (y1 - y0)), int((column - x0) * 192 / (y1 - y0))] > 0


@pytest.mark.slow
def test_a_crop_network_scans_the_films_of_a_film_data_set(trained, films, tmp_path, capsys):
    exported = saved_model.load(f"{trained[0].models_dir}/exp")
    shares = exported.metadata["tile_shares"]
    assert exported.metadata["keep_aspect"] is False and max(shares) < 0.5
    folder = films / "tiny" / "film-192"
    evaluate.evaluate(str(tmp_path), model=str(exported.path), data_dir=str(folder), split="test", threshold=0.3)
    summary, _ = read(tmp_path)
    assert "false alarms a film" in capsys.readouterr().out
    prepared = Prepared(folder)
    chosen = prepared.table["split"] == "test"
    ((images, masks),) = pipeline.evaluation(prepared, chosen, batch_size=99).as_numpy_iterator()
    scanned = exported.scan_images(images)
    findings = [detection.find(mask[..., 0], found[..., 0], 0.3) for mask, found in zip(masks, scanned, strict=True)]
    assert summary["detection"]["n_candidates"] == sum(len(each.candidates) for each in findings)
    assert summary["leak_audit"] == {"copy": 0, "film": 0, "breast": 0, "patient": 0}
    assert 0 < summary["trivial"]["mean_mask"] < 0.5  # fitted on these films, not on the crops of the training
