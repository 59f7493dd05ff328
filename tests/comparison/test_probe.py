from types import SimpleNamespace

import numpy as np

from tfrespam.studies.comparison import probe
from tfrespam.training.run_results import RunResults


def test_cases_are_best_median_and_worst(tmp_path):
    images = [{"lesion_id": str(number), "dice": str(dice)} for number, dice in enumerate((0.5, 0.9, 0.1, 0.7))]
    found = probe.cases(RunResults(tmp_path, {}, images, []))
    assert {name: row["dice"] for name, row in found.items()} == {"best": "0.9", "median": "0.5", "worst": "0.1"}


def test_seconds_per_image_are_measured_at_the_input_size(monkeypatch):
    shapes, clock = [], iter(np.arange(100) * 0.5)
    monkeypatch.setattr(probe.time, "perf_counter", lambda: next(clock))
    exported = SimpleNamespace(metadata={"image_size": 8, "image_width": 6, "channels": 2},
                               predict_images=lambda image: shapes.append(image.shape))  # fmt: skip
    assert probe._seconds(exported) == 0.5 and set(shapes) == {(1, 8, 6, 2)}


def test_runs_with_a_probe_are_not_probed_again(tmp_path):
    (tmp_path / "probe.json").write_text('{"seconds_per_image": 1.0}')
    assert probe.probe([(RunResults(tmp_path, {}, [], []), tmp_path / "nowhere")], "nowhere") == []
