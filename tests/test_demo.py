"""Stage `demo`: start without a model, and clean-up after a killed process."""

import pytest

from tfrespam import cli
from tfrespam.core.errors import UserError
from tfrespam.demo import demo


def test_error_without_a_model_names_the_training_command(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("tfrespam.studies.demonstration.models.shipped", lambda: None)
    with pytest.raises(SystemExit) as stop:
        cli.run(demo, ["--models_dir", str(tmp_path)])
    error = capsys.readouterr().err
    assert stop.value.code == 2 and "contains no exported model. Train one with: python -m tfrespam.train" in error
    with pytest.raises(UserError, match="--upload_mb must be 1 or more. Received: 0"):
        demo(models_dir=str(tmp_path), upload_mb=0)


def test_files_of_a_killed_demo_are_removed_by_the_next_one():
    page = pytest.importorskip("tfrespam.studies.demonstration.gradio_page", reason="the extra [demo] is not installed")
    with page.in_memory_folder() as running:
        left = running.with_name(f"{page.SCRATCH}killed")
        left.mkdir()
        (left / "film_mask.png").write_bytes(b"a patient's")
        with page.in_memory_folder() as another:
            assert another.exists() and running.exists() and not left.exists()
        assert running.exists() and not another.exists()
