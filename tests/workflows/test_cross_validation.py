import dataclasses
import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import tiny
from scipy import special

from tfrespam.core.errors import UserError
from tfrespam.evaluate import evaluate
from tfrespam.evaluation.confusion import count_pixels, dice
from tfrespam.export import export
from tfrespam.models.ensemble import average
from tfrespam.serving.inference import saved_model
from tfrespam.training.runs import TrainingRun, run_folder
from tfrespam.workflows import cross_validation as held_out
from tfrespam.workflows import training
from tfrespam.workflows.find_export import exported

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def runs(data_dir, tmp_path_factory):
    """Runs of folds 0 and 1, one epoch each, of all patients, and of fold 0 with other weights."""
    home = tmp_path_factory.mktemp("cross")
    settings = {"training__epochs": 1, "training__select": "last"}
    parts = [{"data__protocol": "folds", "data__fold": 0}, {"data__protocol": "folds", "data__fold": 1},
             {"data__protocol": "all"}, {"data__protocol": "folds", "data__fold": 0, "seed": 1}]  # fmt: skip
    made = [tiny.experiment(home, data_dir, **settings, **part) for part in parts]
    for experiment in made:
        training.train(experiment)
    return [run_folder(experiment) for experiment in made]


def collected(folders):
    return held_out.collect([(run.network(), [run]) for run in map(TrainingRun.open, folders)])


def test_each_lesion_is_predicted_by_the_network_that_held_it_out(runs, prepared):
    found = collected(runs[:2])
    expected = np.concatenate([np.flatnonzero((prepared.table["split"] == "train") & (prepared.table["fold"] == fold))
                               for fold in (0, 1)])  # fmt: skip
    np.testing.assert_array_equal(found.facts["lesion_id"], prepared.table["lesion_id"][expected])
    assert set(found.audit.values()) == {0}
    summary = found.summary(0.5, model="tiny", experiment="exp", dataset="tiny", protocol="folds")
    assert summary["n_images"] == len(expected)
    own = [dice(count_pixels(mask[None], answer[None] >= 0.5))[0]
           for mask, answer in zip(found.masks, found.answers, strict=True)]  # fmt: skip
    assert summary["metrics"]["dice"]["image"] == pytest.approx(np.mean(own))
    judged = [json.loads((folder / "validation" / "summary.json").read_text()) for folder in runs[:2]]
    pooled = np.average([each["metrics"]["dice"]["image"] for each in judged],
                        weights=[each["n_images"] for each in judged])  # fmt: skip
    assert summary["metrics"]["dice"]["image"] == pytest.approx(pooled, abs=1e-6)
    for name, value in summary["trivial"].items():
        assert value == pytest.approx(np.average([each["trivial"][name] for each in judged],
                                                 weights=[each["n_images"] for each in judged]))  # fmt: skip


def test_a_run_that_was_killed_before_its_evaluation_can_be_evaluated(runs, tmp_path):
    killed = shutil.copytree(runs[0], tmp_path / "run")
    (killed / "facts.json").unlink()
    assert collected([killed]).trivial == pytest.approx(collected(runs[:1]).trivial)


def test_runs_of_a_fold_are_averaged_as_in_the_export(runs):
    first, second, other = (TrainingRun.open(runs[place]) for place in (0, 3, 1))
    assert held_out.by_fold([first, other], 3) == [[first], [other]]
    assert held_out.by_fold([first, second], 2) == [[first, second]]
    both = held_out.collect([(average([first.network(), second.network()]), [first, second])])
    alone = [collected([run.folder]) for run in (first, second)]
    np.testing.assert_array_equal(both.facts["lesion_id"], alone[0].facts["lesion_id"])
    np.testing.assert_allclose(both.answers, np.mean([each.answers for each in alone], axis=0), atol=1e-6)
    with pytest.raises(UserError, match="must hold out the same images"):
        held_out.collect([(first.network(), [first, other])])


@pytest.mark.parametrize(("places", "exported", "received"), [
    ((0, 3), 1, "one run. Received: fold 0 by 2"),
    ((0, 3, 1), 2, "one run, or every fold by 2, as many as are exported. Received: fold 0 by 2, fold 1 by 1"),
])  # fmt: skip
def test_number_of_runs_in_each_fold_must_match_the_export(runs, places, exported, received):
    with pytest.raises(UserError, match=f"each fold must be held out by {received}"):
        held_out.by_fold([TrainingRun.open(runs[place]) for place in places], exported)


def test_an_exported_average_is_scored_by_averages_of_held_out_runs(runs, tmp_path):
    """Scored on the images that all exported runs held out."""
    export(str(runs[0]), str(runs[3]), models_dir=str(tmp_path), calibrate=True)
    metrics = json.loads((tmp_path / "exp" / "1" / "metadata.json").read_text())["metrics"]
    models = [TrainingRun.open(runs[place]) for place in (0, 3)]
    judged = held_out.collect([(average([run.network() for run in models]), models)])
    summary = judged.summary(0.5, model="", experiment="", dataset="", protocol="")
    dice = metrics["held out by averages of 2 runs in 1 folds"]["metrics"]["dice"]
    assert dice.pop("image_ci95") == [None, None]  # of one patient
    assert dice.items() <= summary["metrics"]["dice"].items()


def test_runs_must_hold_out_different_folds(runs):
    with pytest.raises(UserError, match="must hold out different folds"):
        collected([runs[0], runs[0]])
    with pytest.raises(UserError, match="need runs under protocol folds or official.*protocol all"):
        collected([runs[2]])


def test_data_other_than_trained_on_are_rejected(runs, tmp_path):
    changed = shutil.copytree(runs[0], tmp_path / "run")
    (changed / "data.json").write_text('{"index_sha256": "other"}')
    with pytest.raises(UserError, match="are not those that .* was trained on"):
        collected([changed])


def made_up(temperature, pictures=30):
    """Predictions of a network that is overconfident by the factor `temperature`."""
    logit = RNG.normal(0, 2, (pictures, 40, 50))
    masks = RNG.random(logit.shape) < special.expit(logit)
    answers = special.expit(logit * temperature).astype(np.float32)
    return held_out.HeldOut({"patient_id": np.arange(pictures) // 2}, list(masks), list(answers), {}, {})


def test_temperature_is_fitted_and_applied():
    found = made_up(2.5)
    before = [answer.copy() for answer in found.answers]
    fitted = held_out.calibrate(found)
    assert fitted.temperature == pytest.approx(2.5, rel=0.05)
    inner = np.clip(before[3].astype(float), 1e-6, 1 - 1e-6)  # logits end somewhere
    expected = special.expit(special.logit(inner) / fitted.temperature)
    np.testing.assert_allclose(found.answers[3], expected, atol=1e-4)
    facts = fitted.facts(found)
    assert facts["pictures"] == 30 and facts["patients"] == 15
    error = facts["expected_calibration_error"]
    assert error["after"] < 0.01 < 0.05 < error["before"]
    assert held_out.reliability_png(fitted).startswith(b"\x89PNG")


def test_the_same_number_of_pixels_is_sampled_from_each_image(monkeypatch):
    monkeypatch.setattr(held_out, "PIXELS", 100)
    stated, mask = made_up(1.0, 3).sample()
    assert stated.shape == mask.shape == (300,)


def test_a_model_of_all_patients_is_scored_and_calibrated_by_held_out_runs(runs, tmp_path):
    export(str(runs[2]), models_dir=str(tmp_path), calibrate=True, held_out=tuple(map(str, runs[:2])))
    path = tmp_path / "exp" / "1"
    known = json.loads((path / "metadata.json").read_text())
    temperature = known["calibration"]["temperature"]
    assert known["metrics"]["held out by 2 runs"]["n_images"] == known["calibration"]["pictures"]
    assert known["data"]["protocol"] == "all" and (path / "reliability.png").exists()
    images = RNG.random((2, tiny.SIZE, tiny.SIZE, 1)).astype(np.float32)
    plain = special.logit(TrainingRun.open(runs[2]).network().predict(images, verbose=0).astype(float))
    np.testing.assert_allclose(saved_model.load(path).predict_images(images), special.expit(plain / temperature),
                               atol=1e-5)  # fmt: skip
    assert "held out by 2 runs: " in (path / "model_card.md").read_text()


def test_scores_on_training_patients_are_not_published(runs, data_dir, tmp_path, capsys):
    run = TrainingRun.open(runs[2])
    path = exported(run)
    known = json.loads((path / "metadata.json").read_text())
    assert set(known["metrics"]) == {"test"}  # the source's test list, which it has not seen
    evaluate(str(tmp_path / "seen"), str(path), str(data_dir))
    assert "show patients that the model was trained on: this is not a score on new patients" in capsys.readouterr().out


def test_protocol_all_requires_the_last_weights(tmp_path, data_dir):
    experiment = tiny.experiment(tmp_path, data_dir, data__protocol="all")
    assert experiment.training.select == "best"
    with pytest.raises(UserError, match="`data.protocol` all needs `training.select` last"):
        training.train(experiment)
    fine = dataclasses.replace(experiment, training=dataclasses.replace(experiment.training, select="last"))
    assert run_folder(fine).name.startswith("all-seed0-")


def test_runs_on_other_images_cannot_be_averaged(runs, monkeypatch):
    one, other = (TrainingRun.open(runs[0]) for _ in range(2))
    monkeypatch.setattr(held_out, "_split", lambda run: (
        SimpleNamespace(digest="1.6" if run is one else "1.2"), run.splits["validation"], "none", {}))  # fmt: skip
    with pytest.raises(UserError, match="runs that are averaged must hold out the same images"):
        held_out.collect([(None, [one, other])])
