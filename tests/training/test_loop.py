import time

from packed_runs import learner_of, packed_for

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
