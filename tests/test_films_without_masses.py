"""experiments/films_without_masses.py: false positives on generated films without a mass."""

import importlib.util
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from tfrespam.core.files import read_csv

FILE = Path(__file__).parents[1] / "experiments" / "films_without_masses.py"
SPEC = importlib.util.spec_from_file_location("films_without_masses", FILE)
films_without_masses = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(films_without_masses)


def test_the_same_film_is_drawn_with_and_without_its_masses():
    (empty, none), (full, number) = (films_without_masses.drawn(0, 0, masses) for masses in (False, True))
    assert none == 0 < number and empty.dtype == full.dtype == np.uint16
    assert empty.shape == full.shape and (empty != full).any()


def test_candidates_are_counted_per_film(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(films_without_masses.tr, "predict", lambda folder, *_, **__: [
        SimpleNamespace(candidates=[None] * (number % 3)) for number, _ in enumerate(sorted(Path(folder).iterdir()))])
    monkeypatch.setattr(sys, "argv", ["films_without_masses.py", "--films", "4",
                                      "--output", str(tmp_path / "films.csv")])  # fmt: skip
    films_without_masses.main()
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "4 films without a mass: 0.75 candidates per film, none on 50% of them"
    assert told[1].startswith("4 films with ")
    rows = read_csv(tmp_path / "films.csv")
    assert [(row["film"], row["candidates"]) for row in rows] == 2 * [("0", "0"), ("1", "1"), ("2", "2"), ("3", "0")]
    assert all(row["masses"] == "0" for row in rows[:4])
    assert f"with {sum(int(row['masses']) for row in rows[4:])} masses" in told[1]
