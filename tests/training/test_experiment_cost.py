import tiny

from tfrespam.training.experiment_cost import measure_training


def test_measured_step_time_and_disk_are_positive(tmp_path):
    found = measure_training(tiny.experiment(tmp_path, tmp_path, training__steps_per_execution=2))
    assert 0 < found.seconds < 60 and found.disk > 0
