"""Stage `verify`: a run is repeated and compared."""

import tiny

from tfrespam.training.runs import run_folder


def test_a_repeated_run_has_the_same_folder_name(trained, tmp_path):
    experiment, folder = trained
    again = tiny.experiment(tmp_path, experiment.data_dir, **tiny.SHOWN)
    assert run_folder(again).name == folder.name
