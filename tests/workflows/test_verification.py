"""Repeated runs against the recorded ones."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tfrespam import cli
from tfrespam.core.errors import UserError
from tfrespam.verify import verify
from tfrespam.workflows.verification import _largest, compare


@pytest.fixture
def copy(trained, tmp_path):
    """A copy of the session's run that may be changed."""
    return Path(shutil.copytree(trained[1], tmp_path / "copy"))


@pytest.mark.slow
def test_a_run_is_reproduced_bit_for_bit_and_a_changed_one_is_not(trained, copy, capsys):
    verify(str(trained[1]))
    told = capsys.readouterr().out
    assert "was reproduced bit for bit" in told and "same: weights of last.keras (largest difference 0)" in told
    rows = (copy / "history.csv").read_text().splitlines()
    rows[1] = rows[1].replace(rows[1].split(",")[1], "0.5", 1)
    (copy / "history.csv").write_text("\n".join(rows) + "\n")
    with pytest.raises(UserError, match="was not reproduced: history.csv"):
        verify(str(copy))


def test_every_kind_of_difference_is_found(trained, copy):
    import keras

    assert compare(trained[1], copy)["different"] == []
    model = keras.saving.load_model(copy / "last.keras", compile=False)
    model.set_weights([value + np.float32(0.001) for value in model.get_weights()])
    model.save(copy / "last.keras")
    (told,) = compare(trained[1], copy)["different"]
    assert told.startswith("weights of last.keras (largest difference 0.00")
    assert compare(trained[1], copy, tolerance=0.1)["different"] == []
    images = copy / "test" / "per_image.csv"
    images.write_text(images.read_text().replace("phantom", "real", 1))
    assert "per_image.csv (largest difference inf)" in compare(trained[1], copy, tolerance=0.1)["different"]


def test_nan_on_one_side_is_a_difference(trained, copy):
    """Python's max() ignores NaN unless it comes first."""
    import keras

    rows = [{"a": "0.1", "b": "nan"}], [{"a": "0.2", "b": "5"}]
    assert _largest(*rows) == float("inf") and _largest(rows[0], [{"a": "0.2", "b": "nan"}]) < 0.2
    model = keras.saving.load_model(copy / "last.keras", compile=False)
    model.set_weights([*model.get_weights()[:-1], np.full_like(model.get_weights()[-1], np.nan)])
    model.save(copy / "last.keras")
    assert compare(trained[1], copy, tolerance=1.0)["different"] == ["weights of last.keras (largest difference inf)"]
    assert compare(copy, copy)["different"] == []


def test_different_examples_are_rejected(copy):
    known = json.loads((copy / "data.json").read_text())
    (copy / "data.json").write_text(json.dumps(known | {"wider_index_sha256": "0"}))
    with pytest.raises(UserError, match="the wider crops .* are not those"):
        verify(str(copy))
    (copy / "data.json").write_text(json.dumps({"index_sha256": "0"}))
    with pytest.raises(UserError, match="are not those that .* was trained on"):
        verify(str(copy))


def test_unfinished_runs_are_rejected_by_name(copy, capsys):
    (copy / "last.keras").unlink()
    with pytest.raises(SystemExit) as stop:
        cli.run(verify, [str(copy)])
    assert stop.value.code == 2 and "which lacks last.keras" in capsys.readouterr().err
