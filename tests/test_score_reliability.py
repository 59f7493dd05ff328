"""experiments/score_reliability.py: reliability of the scores of candidates, by folder."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from tfrespam.core.files import read_csv, write_csv

FILE = Path(__file__).parents[1] / "experiments" / "score_reliability.py"
SPEC = importlib.util.spec_from_file_location("score_reliability", FILE)
reliability = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(reliability)


@pytest.fixture
def folders(tmp_path):
    """Evaluations of two runs in folders of the same name, with 40 and 80 candidates that score about a half."""
    made = [tmp_path / run / "validation" for run in ("a", "b")]
    for folder, count in zip(made, (40, 80), strict=True):
        scores = np.random.default_rng(0).uniform(0.3, 0.7, count)
        write_csv(folder / "candidates.csv", [{"score": score, "best_iou": 0.6 * (number % 2)}
                                              for number, score in enumerate(scores)])  # fmt: skip
    return made


def test_folders_of_the_same_name_are_told_apart(folders):
    found = reliability.judged(folders)
    assert {name: len(versions["as trained"][0]) for name, (_, versions) in found.items()} == {
        "a/validation": 40, "b/validation": 80}  # fmt: skip


def test_every_folder_has_rows_and_a_diagram(folders, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["score_reliability.py", *map(str, folders), "--output", str(tmp_path / "out")])
    reliability.main()
    rows = read_csv(tmp_path / "out" / "reliability.csv")
    counts = {(row["folder"], row["scores"]): 0 for row in rows}
    for row in rows:
        counts[row["folder"], row["scores"]] += int(row["candidates"])
    assert set(counts.values()) == {40, 80} and len(counts) == 4
    assert (tmp_path / "out" / "reliability.png").exists()


def test_one_folder_named_twice_is_refused(folders, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["score_reliability.py", *map(str, folders[:1] * 2), "--output", "out"])
    with pytest.raises(SystemExit):
        reliability.main()
    assert "name at least two" in capsys.readouterr().err
