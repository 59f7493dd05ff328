import dataclasses

import pytest
from packed_runs import packed_for, read

from tfrespam.training.accelerator import run


def test_a_resumed_run_equals_an_uninterrupted_one(experiment, tmp_path):
    known = packed_for(experiment, tmp_path)
    ends = []
    for epochs in ([2], [1, 2]):
        folder = tmp_path / f"run{len(epochs)}"
        for count in epochs:
            settings = dataclasses.replace(experiment, training=dataclasses.replace(experiment.training, epochs=count))
            run.train(settings, known, folder, 10, lambda line: None)
        ends.append(folder)
    first, second = (read(folder / "history.csv") for folder in ends)
    assert len(first) == 2
    for once, again in zip(first, second, strict=True):
        for name in ("loss", "val_loss", "val_dice"):
            assert float(once[name]) == pytest.approx(float(again[name]), abs=1e-5)
