import time

import pytest
from packed_runs import learner_of, packed_for

from tfrespam.core.errors import UserError
from tfrespam.training.accelerator import checkpoint
from tfrespam.training.accelerator.loop import Loop


def test_no_epoch_is_started_beyond_the_time_budget(experiment, tmp_path):
    known = packed_for(experiment, tmp_path)
    learner, train, validation = learner_of(experiment, known)
    loop = Loop(learner, train, validation, experiment.augment, experiment, tmp_path / "state", lambda line: None)
    loop._epoch_seconds = 60.0
    assert loop.run(5, 59.0, time.monotonic()) is False and not loop.history
    assert loop.run(1, 61.0, time.monotonic()) is True and len(loop.history) == 1
    assert checkpoint.restore(learner, tmp_path / "state")[0] == loop.history


def test_an_epoch_with_a_validation_loss_of_nan_is_not_kept(experiment, tmp_path, monkeypatch):
    known = packed_for(experiment, tmp_path)
    learner, train, validation = learner_of(experiment, known)
    loop = Loop(learner, train, validation, experiment.augment, experiment, tmp_path / "state", lambda line: None)
    scores = {"val_loss": float("nan"), "val_dice": 0.5, "val_iou": 0.4, "val_miou": 0.6}
    monkeypatch.setattr(loop, "_validate", lambda: scores)
    with pytest.raises(UserError, match="the validation loss became nan in epoch 1. Expected a finite number"):
        loop.run(2, 60.0, time.monotonic())
    assert not loop.history and loop.best is None and checkpoint.restore(learner, tmp_path / "state") == ([], None)
