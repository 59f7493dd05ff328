"""Whole films from end to end: a network trained on films, and one trained on crops that scans films."""

import csv
import dataclasses
import json

import cv2
import numpy as np
import pytest
import tiny

import tfrespam as tr
from tfrespam.config import AugmentConfig, DataConfig
from tfrespam.core.errors import UserError
from tfrespam.data.loading import pipeline
from tfrespam.data.loading.prepared import Prepared
from tfrespam.data.readers import cbis_ddsm
from tfrespam.evaluate import evaluate
from tfrespam.evaluation import detection, froc, headline
from tfrespam.evaluation.candidates import FILM_RULE, CandidateRule
from tfrespam.predict import predict
from tfrespam.serving.inference import saved_model
from tfrespam.training.runs import run_folder
from tfrespam.workflows import candidate_rules
from tfrespam.workflows.evaluation import Evaluation, say
from tfrespam.workflows.export_runs import export_runs
from tfrespam.workflows.preparation import prepare_source
from tfrespam.workflows.training import train


def read(folder):
    with open(folder / "candidates.csv", newline="", encoding="utf-8") as file:
        return json.loads((folder / "summary.json").read_text()), list(csv.DictReader(file))


@pytest.fixture(scope="module")
def films(download, tmp_path_factory):
    """The phantom data as whole films, small for training and large for scanning."""
    home = tmp_path_factory.mktemp("films")
    for size in (tiny.SIZE, 192):
        prepare_source(download, home, "tiny", "film", 1.6, size, workers=1)
    return home


class Oracle:
    """An exported model that returns the reference masks and a false positive in a corner."""

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
    """Films are given to the network whole, or scanned; candidates of a crop network start at its own threshold."""
    prepared = Prepared(films / "tiny" / "film-192")
    oracle = Oracle(prepared, view)
    data = DataConfig(dataset="tiny", view="film", image_size=192)
    say(Evaluation(oracle, prepared, data, "test").write(tmp_path), tmp_path)
    summary, rows = read(tmp_path)
    found = summary["detection"]
    assert set(oracle.asked) == {asked} and summary["threshold"] == (0.5 if view == "film" else 0.9)
    films_judged = len(oracle.images)
    assert found["n_candidates"] == len(rows) == found["n_lesions"] + false * films_judged
    for criterion in ("iou_0.1", "iou_0.5"):
        assert found[criterion]["all_candidates"] == {"sensitivity": 1.0, "fp_per_image": false}
        assert {row["value"] for row in found[criterion]["sensitivity"].values()} == {1.0}
    assert sum(float(row["best_iou"]) == 0 for row in rows) == false * films_judged
    assert found["ap50_mask"]["value"] == pytest.approx(1) and found["dice_of_found"] > 0.5
    curve = list(csv.DictReader((tmp_path / "froc.csv").open()))
    assert float(curve[-1]["sensitivity_iou_0.5"]) == 1 and float(curve[-1]["fp_per_image"]) == false
    groups = list(csv.DictReader((tmp_path / "detection_groups.csv").open()))
    views = [int(row["lesions"]) for row in groups
             if (row["group"], row["iou"], row["fp_per_image_of_all"]) == ("view", "0.5", "2")]  # fmt: skip
    assert sum(views) == found["n_lesions"]
    assert 0 < summary["trivial"]["mean_mask"] < 0.5  # fitted on these films
    assert "share of the masses found" in capsys.readouterr().out


def test_unknown_scores_can_be_printed():
    scores = froc.detection_scores([detection.Finding(0, ())], ["a"], resamples=5)
    read = json.loads(json.dumps(scores).replace("NaN", "null"))  # as summary.json holds it
    for each in (scores, read):
        assert "\n".join(headline._detection(each)).count("unknown (unknown-unknown)") == 8


@pytest.fixture(scope="module")
def on_films(films, tmp_path_factory):
    """A network trained on whole films: (exported, run folder)."""
    made = tiny.experiment(tmp_path_factory.mktemp("run"), films, data__view="film")
    train(made)
    return saved_model.load(f"{made.models_dir}/exp"), run_folder(made)


@pytest.mark.slow
def test_training_on_films_counts_masses_and_false_alarms(on_films, films):
    exported, run = on_films
    assert exported.metadata["keep_aspect"] is True and exported.metadata["tile_shares"] == [1.0]
    summary, rows = read(run / "test")
    found = summary["detection"]
    assert found["score"] == "max" and found["n_candidates"] == len(rows)
    assert set(found) == {"score", "rule", "matching", "n_lesions", "n_candidates", "iou_0.1", "iou_0.5", "ap50_mask",
                          "ap50_box", "dice_of_found", "operating_point", "reliability"}  # fmt: skip
    validated = read(run / "validation")[0]["detection"]
    score = validated["iou_0.1"]["sensitivity"]["fp_0.5"]["score"]
    assert validated["rule"] == {"threshold": 0.2, "least_score": 0.0, "least_area": 2e-4, "join": 0.0,
                                 "score_slope": 1.0, "score_intercept": 0.0}  # fmt: skip
    stored = exported.metadata["candidates"]
    assert validated["n_candidates"] < 50 and found["rule"] == validated["rule"]  # too few to scale the scores
    assert stored == found["rule"] | {"least_score": score or 0.0}
    if score:
        assert found["operating_point"]["score"] == score
    for criterion in ("iou_0.1", "iou_0.5"):
        assert set(found[criterion]["sensitivity"]) == {"fp_0.25", "fp_0.5", "fp_1", "fp_2"}
    assert json.loads((run / "summary.json").read_text())["detection"] == found


@pytest.mark.slow
def test_detection_scores_in_the_summary_match_the_exported_graph(on_films, films):
    exported, run = on_films
    prepared = Prepared(films / "tiny" / f"film-{tiny.SIZE}")
    chosen = prepared.table["split"] == "test"
    ((images, masks),) = pipeline.evaluation(prepared, chosen, batch_size=99).as_numpy_iterator()
    findings = [detection.find(mask[..., 0], probability[..., 0], FILM_RULE)
                for mask, probability in zip(masks, exported.predict_images(images), strict=True)]  # fmt: skip
    scores = froc.detection_scores(findings, prepared.table["patient_id"][chosen])
    written = read(run / "test")[0]["detection"]
    assert scores["n_lesions"] > 0
    assert json.loads(json.dumps(scores).replace("NaN", "null")).items() <= written.items()


@pytest.fixture(scope="module")
def oblong(download, tmp_path_factory):
    """A network for 64 x 32 pixels trained on films of that shape, its run folder and its data."""
    home = tmp_path_factory.mktemp("oblong")
    path = prepare_source(download, home, "tiny", "film", 1.6, 64, workers=1, image_width=32)
    assert path.name == "film-64x32" and Prepared(path).image_shape == (64, 32)
    made = tiny.experiment(home, home, data__view="film", data__image_size=64, data__image_width=32,
                           training__tensorboard_curves=10)  # fmt: skip
    train(made)
    return saved_model.load(f"{made.models_dir}/exp"), run_folder(made), Prepared(path)


def test_rectangular_films_are_trained_exported_and_evaluated(oblong, download):
    exported, run, prepared = oblong
    assert (exported.metadata["image_size"], exported.metadata["image_width"]) == (64, 32)
    assert "64 x 32" in (exported.path / "model_card.md").read_text()
    film = cbis_ddsm.scan(download).films[0]
    (example,) = pipeline.encoded(prepared, prepared.table["film_id"] == film.film_id)
    y0, x0, y1, x1 = example["crop"].numpy()
    assert (y1 - y0) == pytest.approx(2 * (x1 - x0), abs=1)
    stored, pixels = pipeline.decode(example)[0].numpy()[..., 0], cbis_ddsm.read(film).image
    assert stored.shape == (64, 32)
    (answer,) = exported.predict_film([cv2.imencode(".png", pixels)[1].tobytes()])
    found = cv2.imdecode(np.frombuffer(answer.probability_png, np.uint8), cv2.IMREAD_UNCHANGED)
    whole = exported.predict_images(stored[None, ..., None] / np.float32(65535))[0, ..., 0]
    large = cv2.resize(whole, (x1 - x0, y1 - y0), interpolation=cv2.INTER_LINEAR)
    inside = np.zeros(pixels.shape, np.float32)
    top, left, bottom, right = max(y0, 0), max(x0, 0), min(y1, pixels.shape[0]), min(x1, pixels.shape[1])
    inside[top:bottom, left:right] = large[top - y0 : bottom - y0, left - x0 : right - x0]
    seen = found > 0
    assert found.shape == pixels.shape and np.abs(found / 65535 - inside)[seen].mean() < 0.02
    assert read(run / "validation")[0]["detection"]["n_lesions"] > 0


def test_tensorboard_has_the_curves_of_films(oblong):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    _, run, _ = oblong
    events = EventAccumulator(str(run / "tensorboard" / "images"), {"tensors": 0}).Reload()
    for tag in ("froc", "reliability", "found_at_fp_0.5", "ap50_mask", "ap50_box", "expected_calibration_error"):
        assert len(events.Tensors(f"detection/{tag}")) == 1  # after the last epoch, before the tenth


@pytest.mark.parametrize("candidates", [{"treshold": 0.2}, {"threshold": 1.5}])
def test_an_invalid_candidate_rule_is_rejected(candidates, tmp_path):
    with pytest.raises(UserError, match="`candidates` must hold numbers from 0 to 1 under threshold, least_score"):
        export_runs([str(tmp_path)], candidates=candidates)


def test_export_of_a_film_run_keeps_the_operating_point_of_its_validation_films(oblong, tmp_path):
    exported, run, _ = oblong
    path = export_runs([str(run)], models_dir=str(tmp_path))
    stored = saved_model.read_metadata(path)["candidates"]
    assert stored == exported.metadata["candidates"]
    detection = read(run / "validation")[0]["detection"]
    assert stored == dataclasses.asdict(candidate_rules.validated(FILM_RULE, detection))
    path = export_runs([str(run)], models_dir=str(tmp_path), candidates={"least_score": 0.25})
    assert saved_model.read_metadata(path)["candidates"] == stored | {"least_score": 0.25}
    path = export_runs([str(run)], models_dir=str(tmp_path), views="mirror")  # whose scores no validation film has seen
    assert saved_model.read_metadata(path)["candidates"] == dataclasses.asdict(FILM_RULE)


def test_training_data_of_a_rectangular_run_resume_where_they_stopped(oblong, tmp_path):
    """Films and augmentation of each step equal those of an uninterrupted run."""
    _, _, prepared = oblong
    chosen = prepared.table["split"] == "train"
    whole = pipeline.training(prepared, chosen, AugmentConfig(scale=0.2), batch_size=2, seed=3)
    later = pipeline.training(prepared, chosen, AugmentConfig(scale=0.2), batch_size=2, seed=3, first_step=2)
    for (images, masks), (again, same) in zip(whole.skip(2).take(2), later.take(2), strict=True):
        assert images.shape == (2, 64, 32, 1)
        np.testing.assert_array_equal(images, again)
        np.testing.assert_array_equal(masks, same)


@pytest.mark.slow
def test_a_film_network_gives_a_mask_of_the_film_size(on_films, download, tmp_path):
    exported, _ = on_films
    film = sorted(download.rglob("*.dcm"), key=lambda file: file.stat().st_size)[-1]
    predict(str(film), output=str(tmp_path), model=str(exported.path), threshold=0.01)
    with open(tmp_path / "predictions.csv", newline="") as file:
        (row,) = csv.DictReader(file)
    mask = cv2.imread(str(next(tmp_path.glob("*_mask.png"))), cv2.IMREAD_UNCHANGED)
    assert row["region"] == "film" and mask.shape == (int(row["height"]), int(row["width"]))
    assert min(mask.shape) > 300 and 0 < np.mean(mask > 0) < 0.9  # at most the breast


def test_a_prepared_film_contains_all_its_masses(download, films):
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
    evaluate(str(tmp_path), model=str(exported.path), data_dir=str(folder), split="test", threshold=0.3)
    summary, _ = read(tmp_path)
    assert "false positives per film" in capsys.readouterr().out
    prepared = Prepared(folder)
    chosen = prepared.table["split"] == "test"
    ((images, masks),) = pipeline.evaluation(prepared, chosen, batch_size=99).as_numpy_iterator()
    scanned = exported.scan_images(images)
    findings = [detection.find(mask[..., 0], found[..., 0], CandidateRule(0.3))
                for mask, found in zip(masks, scanned, strict=True)]  # fmt: skip
    assert summary["detection"]["n_candidates"] == sum(len(each.matches) for each in findings)
    assert summary["leak_audit"] == {"copy": 0, "film": 0, "breast": 0, "patient": 0}
    assert 0 < summary["trivial"]["mean_mask"] < 0.5  # fitted on these films, not on the crops of the training


def test_a_network_in_memory_is_evaluated_as_its_export_is(films, tmp_path):
    data = tr.data.load(films / "tiny" / f"film-{tiny.SIZE}")
    model = tr.build_model("unet", (tiny.SIZE, tiny.SIZE, 1), width=0.0625)
    found, of_export = (tr.evaluate(each, data, protocol="official", split="test").summary["detection"]
                        for each in (model, tr.export(model, tmp_path / "films", data=data)))  # fmt: skip
    assert found["rule"] == of_export["rule"] and found["n_candidates"] == of_export["n_candidates"] > 0
