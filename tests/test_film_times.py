"""experiments/film_times.py: seconds of each step of `predict` on a film."""

import importlib.util
import sys
from pathlib import Path

import cv2

from tfrespam.studies.demonstration.phantom_examples import film_and_mass

FILE = Path(__file__).parents[1] / "experiments" / "film_times.py"
SPEC = importlib.util.spec_from_file_location("film_times", FILE)
film_times = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(film_times)


def test_each_step_of_each_film_but_the_first_is_timed(tmp_path, monkeypatch, capsys):
    (tmp_path / "films").mkdir()
    for number in range(2):
        film, _ = film_and_mass()
        cv2.imwrite(str(tmp_path / "films" / f"{number}.png"), film)
    table = tmp_path / "table.csv"
    models = str(FILE.parents[1] / "saved_models")
    monkeypatch.setattr(sys, "argv", ["film_times.py", str(tmp_path / "films"), "--models_dir", models, "--output",
                                      str(table)])  # fmt: skip
    film_times.main()
    head, row = table.read_text().splitlines()
    assert head == "file," + ",".join(film_times.STEPS)
    name, *seconds, total = row.split(",")
    read, breast, network, outlines, write = map(float, seconds)
    assert name == "1.png" and min(read, network, outlines, write) > 0
    assert abs(read + breast + network + outlines + write - float(total)) < 1e-6
    assert [line.split("  ")[0] for line in capsys.readouterr().out.splitlines()] == list(film_times.STEPS)
