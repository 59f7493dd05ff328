"""What the stage `train` refuses, and what it then says."""

import pytest
import tiny

from tfrespam import cli, train
from tfrespam.config import Experiment
from tfrespam.errors import UserError

pytestmark = pytest.mark.usefixtures("switches")


@pytest.mark.parametrize(("settings", "message"), [
    ({"data__dataset": "none"}, r"'none' is not prepared as roi-1.6-32 .*tfrespam.prepare --source DIR .*--name none"),
    ({"data__context": 1.2}, r"not prepared as roi-1.2-32 .*Found there: tiny/roi-1.6-32.*--context 1.2"),
    ({"model__name": "alexnet"}, "must be one of respam_unet, .*Received: name='alexnet'"),
    ({"model__options": {"depth": 5}}, "Options of 'tiny' are dropout, side_outputs. Received: depth"),
    ({"model__options": {"side_outputs": True}, "training__side_weights": (1.0,) * 3},
     "must hold one number, or one for each of boundary1, mask1"),
    ({"training__side_weights": ()}, "--training.side_weights must be at least one number, each 0 or more"),
    ({"training__loss": "l2"}, "Expected one of bce, dice.*Received: loss='l2'"),
    ({"training__batch_size": 1000}, "batch_size 1000 is more than the [0-9]+ training examples"),
    ({"training__tensorboard_profile": (3, 2)}, "tensorboard_profile must be two steps, .*Received: \\(3, 2\\)"),
    ({"training__learning_rate": -1.0}, "--training.learning_rate must be a number above 0. Received: -1.0"),
    pytest.param({"training__learning_rate": 1e38}, "loss became nan in epoch 1.*Lower --training.learning_rate",
                 marks=pytest.mark.slow),
    ({"data__exclude_films": ("P_1",)}, "exclude_films names films that the data set does not hold: P_1"),
])  # fmt: skip
def test_errors_say_what_to_do(data_dir, tmp_path, settings, message):
    with pytest.raises(UserError, match=f"(?s){message}"):
        train.train(tiny.experiment(tmp_path, data_dir, **settings))


def test_a_fold_without_a_patient_is_named(tmp_path):
    import cbis_tree

    from tfrespam.prepare import prepare_source

    cbis_tree.write(tmp_path / "in", [cbis_tree.Entry("P_00001"), cbis_tree.Entry("P_00002")])
    prepare_source(tmp_path / "in", tmp_path / "home", "tiny", "roi", 1.6, 32, workers=1)
    with pytest.raises(UserError, match="'validation' of protocol 'folds', fold 4, holds no example"):
        train.train(tiny.experiment(tmp_path, tmp_path / "home", data__protocol="folds", data__fold=4))


def test_the_stage_ends_with_status_2_and_one_message(tmp_path, capsys):
    missing = ["--data.dataset", "none", "--data_dir", str(tmp_path)]
    with pytest.raises(SystemExit) as stop:
        cli.run(train.train_from_options, missing, Experiment, train.EMBEDDED)
    error = capsys.readouterr().err
    assert stop.value.code == 2 and error.startswith("error: data set 'none' is not prepared as roi-1.6-96")
    with pytest.raises(SystemExit) as stop:
        cli.run(train.train_from_options, ["--training.epoch", "3"], Experiment, train.EMBEDDED)
    assert stop.value.code == 2 and "--training.epoch" in capsys.readouterr().err
