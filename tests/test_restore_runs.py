"""experiments/restore_runs.py: committed results become runs that `compare` finds."""

import importlib.util
import sys
from pathlib import Path

import pytest

from tfrespam.core.errors import UserError
from tfrespam.training.run_results import RunResults

FILE = Path(__file__).parents[1] / "experiments" / "restore_runs.py"
SPEC = importlib.util.spec_from_file_location("restore_runs", FILE)
restore_runs = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(restore_runs)
RESULTS = FILE.parent / "results" / "table1-real"


def test_results_are_restored_where_their_settings_look_for_them(tmp_path):
    made = restore_runs.restored(RESULTS, tmp_path)
    assert len(made) == len(list(RESULTS.rglob("config.yaml"))) == len(set(made))
    for folder in made:
        run = RunResults.read(folder)
        in_name = f"folds-fold{run.config['data']['fold']}-seed{run.config['seed']}-"
        assert folder.parent == tmp_path / run.config["name"] and folder.name.startswith(in_name)
        assert run.images and run.history
    assert restore_runs.restored(RESULTS, tmp_path) == []


def test_folders_that_exist_stay_as_they_are(tmp_path):
    (folder, *_) = restore_runs.restored(RESULTS, tmp_path)
    (folder / "summary.json").write_text("{}")
    assert restore_runs.restored(RESULTS, tmp_path) == [] and (folder / "summary.json").read_text() == "{}"


def test_a_folder_without_results_is_reported(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["restore_runs.py", str(tmp_path)])
    with pytest.raises(UserError, match="contains no results of trainings"):
        restore_runs.main()
