import numpy as np

from tfrespam.models.stored import load_network
from tfrespam.training.runs import TrainingRun
from tfrespam.workflows.fitting import fit_or_resume


def test_a_trained_run_is_not_trained_again(trained):
    run = TrainingRun(trained[0])
    before = (run.folder / "last.keras").stat().st_mtime_ns
    found = fit_or_resume(run, None)
    for weight, other in zip(found.get_weights(), load_network(run.selected).get_weights(), strict=True):
        np.testing.assert_array_equal(weight, other)
    assert (run.folder / "last.keras").stat().st_mtime_ns == before
