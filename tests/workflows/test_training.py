"""Errors of the stage `train`."""

import pytest
import tiny

from tfrespam import cli
from tfrespam.config import Experiment
from tfrespam.core.errors import UserError
from tfrespam.core.files import write_json
from tfrespam.train import EMBEDDED, train
from tfrespam.training.runs import run_folder
from tfrespam.workflows import training

pytestmark = pytest.mark.usefixtures("switches")


@pytest.mark.parametrize(("settings", "message"), [
    ({"data__dataset": "none"}, r"'none' is not prepared as roi-1.6-32 .*tfrespam.prepare --source DIR .*--name none"),
    ({"data__context": 1.2}, r"not prepared as roi-1.2-32 .*Found there: tiny/roi-1.6-32.*--context 1.2"),
    ({"model__name": "alexnet"}, "must be one of respam_unet, .*Received: name='alexnet'"),
    ({"model__options": {"depth": 5}}, "Options of 'tiny' are dropout, side_outputs. Received: depth"),
    ({"model__options": {"side_outputs": True}, "training__side_weights": (1.0,) * 3},
     "must hold one number, or one for each of boundary1, mask1"),
    ({"training__side_weights": ()}, "`training.side_weights` must be at least one number, each 0 or more"),
    ({"augment__context_range": (1.0, 2.4)}, "context_range` needs `augment.recrop`.*Received: \\(1.0, 2.4\\)"),
    ({"augment__off_centre": 0.1}, "`augment.off_centre` needs `augment.recrop`"),
    ({"augment__crop_shape": "any"}, "`augment.crop_shape` needs `augment.recrop`.*Received: any"),
    ({"augment__recrop": 2.0, "augment__context_range": (2.4, 1.0)}, "context_range` must be two contexts from 1 to 4"),
    ({"augment__recrop": 1.4, "augment__context_range": (1.0, 2.4)}, "must end at 2.24 at most, .*Received: 2.4"),
    ({"training__loss": "l2"}, "Expected one of bce, dice.*Received: loss='l2'"),
    ({"training__batch_size": 1000}, "batch_size` 1000 is more than the [0-9]+ training examples"),
    ({"training__tensorboard_profile": (3, 2)}, "tensorboard_profile` must be two steps, .*Received: \\(3, 2\\)"),
    ({"training__learning_rate": -1.0}, "`training.learning_rate` must be a number above 0. Received: -1.0"),
    pytest.param({"training__learning_rate": 1e38}, "loss became nan in epoch 1.*Lower `training.learning_rate`",
                 marks=pytest.mark.slow),
    ({"data__exclude_films": ("P_1",), "data__absent_films": 0}, "exclude_films` names films .* does not contain: P_1"),
])  # fmt: skip
def test_errors_give_advice(data_dir, tmp_path, settings, message):
    with pytest.raises(UserError, match=f"(?s){message}"):
        training.train(tiny.experiment(tmp_path, data_dir, **settings))
    assert not list((tmp_path / "runs").glob("*/*")), "a refused run leaves nothing that could be taken for one"


def test_a_rejected_run_keeps_its_existing_files(data_dir, tmp_path):
    """Only new files are removed; the run was started with other data and is kept."""
    experiment = tiny.experiment(tmp_path, data_dir)
    folder = run_folder(experiment)
    write_json(folder / "data.json", {"index_sha256": "other"})
    with pytest.raises(UserError, match="the examples differ from those"):
        training.train(experiment)
    assert (folder / "data.json").exists()


def test_a_fold_without_a_patient_is_reported(tmp_path):
    import cbis_tree

    from tfrespam.workflows.preparation import prepare_source

    cbis_tree.write(tmp_path / "in", [cbis_tree.Entry("P_00001"), cbis_tree.Entry("P_00002")])
    prepare_source(tmp_path / "in", tmp_path / "home", "tiny", "roi", 1.6, 32, workers=1)
    with pytest.raises(UserError, match="'validation' of protocol 'folds', fold 4, contains no example"):
        training.train(tiny.experiment(tmp_path, tmp_path / "home", data__protocol="folds", data__fold=4))


def test_the_stage_ends_with_status_2_and_one_message(tmp_path, capsys):
    missing = ["--data.dataset", "none", "--data_dir", str(tmp_path)]
    with pytest.raises(SystemExit) as stop:
        cli.run(train, missing, Experiment, EMBEDDED)
    error = capsys.readouterr().err
    assert stop.value.code == 2 and error.startswith("error: data set 'none' is not prepared as roi-1.6-96")
    with pytest.raises(SystemExit) as stop:
        cli.run(train, ["--training.epoch", "3"], Experiment, EMBEDDED)
    assert stop.value.code == 2 and "--training.epoch" in capsys.readouterr().err
