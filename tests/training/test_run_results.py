import pytest
from fake_runs import write_run

from tfrespam.core.errors import UserError
from tfrespam.training.run_results import RunResults, rows


@pytest.fixture
def folder(tmp_path):
    return write_run(tmp_path / "exp" / "run", {"p1 1": (30, 5, 5), "p2 1": (10, 0, 40)})


def test_results_are_read_from_the_folder_of_a_run(folder):
    found = RunResults.read(folder)
    assert [row["patient_id"] for row in found.images] == ["p1", "p2"] and found.summary["n_images"] == 2
    assert found.history[1]["loss"] == 0.5 and found.training_seconds == 10.0
    assert found.config == {} and found.calibration is None and found.films == {} and found.probe is None
    assert found.title == "unet, exp, folds, seed 0"


def test_results_are_read_from_the_folder_of_an_evaluation(folder):
    (folder / "validation" / "per_image.csv").rename(folder / "per_image.csv")
    (folder / "validation").rmdir()
    (folder / "history.csv").unlink()
    found = RunResults.read(folder)
    assert len(found.images) == 2 and found.history == [] and found.training_seconds == 0
    assert rows(folder / "per_image.csv") == found.images


def test_unfinished_and_damaged_folders_are_reported(folder, tmp_path):
    with pytest.raises(UserError, match="is not a finished run"):
        RunResults.read(tmp_path)
    (folder / "summary.json").write_text("{")
    with pytest.raises(UserError, match="damaged file"):
        RunResults.read(folder)
