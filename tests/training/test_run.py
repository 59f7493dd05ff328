import dataclasses
import json

import keras
import numpy as np
import pytest
from packed_runs import packed_for, read

from tfrespam.core.errors import UserError
from tfrespam.core.locks import alone
from tfrespam.data.loading.prepared import find
from tfrespam.training.accelerator import run


def test_the_run_can_be_exported_and_evaluate_confirms_its_scores(experiment, tmp_path):
    """Rows computed in memory against rows of the exported graph."""
    from tfrespam.serving.inference import saved_model
    from tfrespam.workflows.evaluation import Evaluation
    from tfrespam.workflows.export_runs import export_runs

    known = packed_for(experiment, tmp_path)
    summary = run.train(experiment, known, tmp_path / "run", 10, lambda line: None)
    exported = saved_model.load(export_runs([str(tmp_path / "run")], models_dir=str(tmp_path / "models")))
    prepared = find(experiment.data_dir, experiment.data)
    again = Evaluation(exported, prepared, experiment.data, "test").write(tmp_path / "again")
    assert summary["n_images"] == again["n_images"] and summary["leak_audit"] == again["leak_audit"]
    for name in ("dice", "iou", "miou"):
        assert summary["metrics"][name]["image"] == pytest.approx(again["metrics"][name]["image"], abs=2e-3)
    assert summary["trivial"] == pytest.approx(again["trivial"], nan_ok=True)
    mine, theirs = (read(tmp_path / folder / "per_image.csv") for folder in ("run/test", "again"))
    assert list(mine[0]) == list(theirs[0])
    assert [row["lesion_id"] for row in mine] == [row["lesion_id"] for row in theirs]
    assert summary["images_seen"] == 2 * (json.loads((tmp_path / "run" / "facts.json").read_text())["images_seen"] // 2)


@pytest.mark.parametrize(("changed", "said"), [
    ({"image_size": 64}, "contains other data"), ({"protocol": "paper"}, "contains other data"),
    ({"dataset": "other"}, "contains other data"),
])  # fmt: skip
def test_packed_data_of_another_experiment_are_rejected(experiment, tmp_path, changed, said):
    known = packed_for(experiment, tmp_path)
    other = dataclasses.replace(experiment, data=dataclasses.replace(experiment.data, **changed))
    with pytest.raises(UserError, match=said):
        run.train(other, known, tmp_path / "run", 1)
    assert not (tmp_path / "run").exists()


def test_settings_that_are_not_supported_are_rejected(experiment, tmp_path):
    known = packed_for(experiment, tmp_path)
    for part, changed, said in (("training", {"initial_weights": "network.keras"}, "`training.initial_weights` can be"),
                                ("training", {"loss": "box"}, "adversarial networks, the loss")):
        other = dataclasses.replace(experiment, **{part: dataclasses.replace(getattr(experiment, part), **changed)})
        with pytest.raises(UserError, match=said):
            run.check(other, known)


def changed_to(experiment, **settings):
    """The experiment with other settings: names with __ for the dot."""
    for name, value in settings.items():
        section, field = name.split("__")
        part = dataclasses.replace(getattr(experiment, section), **{field: value})
        experiment = dataclasses.replace(experiment, **{section: part})
    return experiment


@pytest.mark.parametrize("changed", [{"data__fold": 1}, {"training__learning_rate": 0.1}])
def test_a_folder_is_not_resumed_under_other_settings(experiment, tmp_path, changed):
    known = packed_for(experiment, tmp_path)
    run.train(experiment, known, tmp_path / "run", 10, lambda line: None)
    with pytest.raises(UserError, match="the examples or settings differ from those with which"):
        run.train(changed_to(experiment, **changed), known, tmp_path / "run", 10)


def test_epochs_can_be_added_at_a_constant_learning_rate_but_not_removed(experiment, tmp_path):
    known = packed_for(experiment, tmp_path)
    run.train(experiment, known, tmp_path / "run", 10, lambda line: None)
    with pytest.raises(UserError, match="has a training of 2 epochs. Expected `training.epochs` .*Received: 1"):
        run.train(changed_to(experiment, training__epochs=1), known, tmp_path / "run", 10)
    run.train(changed_to(experiment, training__epochs=3), known, tmp_path / "run", 10, lambda line: None)
    assert len(read(tmp_path / "run" / "history.csv")) == 3


def test_a_finished_run_is_unfinished_while_epochs_are_added(experiment, tmp_path):
    known, folder = packed_for(experiment, tmp_path), tmp_path / "run"
    run.train(experiment, known, folder, 10, lambda line: None)
    assert (folder / "summary.json").exists()
    run.train(changed_to(experiment, training__epochs=3), known, folder, 0, lambda line: None)  # no time for an epoch
    assert not (folder / "summary.json").exists() and len(read(folder / "history.csv")) == 2


def test_a_folder_is_trained_by_one_process(experiment, tmp_path):
    with alone(tmp_path / "run" / ".lock"), pytest.raises(UserError, match="in use by another process"):
        run.train(experiment, packed_for(experiment, tmp_path), tmp_path / "run", 10)


def test_a_schedule_that_depends_on_the_epochs_fixes_them(experiment, tmp_path):
    """A record of an earlier release, which has no number of epochs, can be resumed."""
    known, cosine = packed_for(experiment, tmp_path), changed_to(experiment, training__schedule="cosine")
    run.train(cosine, known, tmp_path / "run", 10, lambda line: None)
    with pytest.raises(UserError, match="the examples or settings differ from those with which"):
        run.train(changed_to(cosine, training__epochs=3), known, tmp_path / "run", 10)
    record = json.loads((tmp_path / "run" / "data.json").read_text())
    assert record.pop("epochs") == "2"
    (tmp_path / "run" / "data.json").write_text(json.dumps(record))
    run.train(cosine, known, tmp_path / "run", 10, lambda line: None)


@pytest.mark.parametrize(("changed", "said"), [
    ({"training__loss": "nothing"}, "nothing"), ({"training__loss": "mypkg:Loss"}, "mypkg"),
    ({"training__loss": "focal", "training__loss_options": {"delta": 1}}, "delta"),
    ({"model__name": "nothing"}, "nothing"),
])  # fmt: skip
def test_unknown_losses_and_networks_are_reported(experiment, tmp_path, changed, said):
    known = packed_for(experiment, tmp_path)
    with pytest.raises(UserError, match=said):
        run.train(changed_to(experiment, **changed), known, tmp_path / "run", 1)
    assert not (tmp_path / "run").exists()


def test_own_losses_are_trained_with(experiment, tmp_path):
    known = packed_for(experiment, tmp_path)
    own = changed_to(experiment, training__loss="keras.losses:Huber", training__loss_options={"delta": 0.5})
    learner = run.compiled(own, known, 1)
    assert isinstance(learner.objective.loss, keras.losses.Huber)
    assert run.train(changed_to(own, training__epochs=1), known, tmp_path / "run", 10, lambda line: None)["n_images"]


@pytest.mark.parametrize(("split", "kept"), [("validation", 1), ("train", 0)])
def test_a_fold_without_patients_is_reported(experiment, tmp_path, split, kept):
    known = packed_for(experiment, tmp_path)
    table = known.table | {"fold": np.full_like(known.table["fold"], kept)}
    with pytest.raises(UserError, match=f"split '{split}' of protocol 'official', fold 0, contains no example"):
        run.train(experiment, dataclasses.replace(known, table=table), tmp_path / "run", 1)
    assert not (tmp_path / "run").exists()


def test_no_noise_is_added_to_the_papers_copies(experiment, tmp_path):
    known, noisy = packed_for(experiment, tmp_path), changed_to(experiment, augment__noise=0.1)
    assert run.compiled(noisy, known, 1).noise == 0.1
    assert run.compiled(changed_to(noisy, data__protocol="paper"), known, 1).noise == 0


def test_a_run_that_could_not_start_does_not_fix_its_settings(experiment, tmp_path):
    known = packed_for(experiment, tmp_path)
    large = dataclasses.replace(experiment, training=dataclasses.replace(experiment.training, batch_size=999))
    with pytest.raises(UserError, match="`training.batch_size` 999 is more than"):
        run.train(large, known, tmp_path / "run", 10)
    run.train(experiment, known, tmp_path / "run", 10, lambda line: None)
