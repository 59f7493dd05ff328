"""experiments/film_outlines.py: outlines of the film network alone and with the crop network."""

import importlib.util
import re
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from tfrespam.core.errors import UserError

FILE = Path(__file__).parents[1] / "experiments" / "film_outlines.py"
SPEC = importlib.util.spec_from_file_location("film_outlines", FILE)
film_outlines = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(film_outlines)


class Chain:
    """The left half of a film; with a crop network, the whole mass on the left three quarters."""

    def __init__(self, films, crops=None):
        self.share = 0.75 if crops else 0.5

    def predict_film(self, films):
        labels = np.zeros(cv2.imdecode(np.frombuffer(films[0], np.uint8), cv2.IMREAD_UNCHANGED).shape, np.uint16)
        labels[:, : int(self.share * labels.shape[1])] = 1
        return [type("Answer", (), {"labels": labels})]


def test_the_gain_of_the_outlines_is_printed_and_written(tmp_path, monkeypatch, capsys):
    for folder in ("films", "masks"):
        (tmp_path / folder).mkdir()
        for name in ("a", "b"):
            mask = np.zeros((40, 40), np.uint8)
            mask[:, :30] = 255
            cv2.imwrite(str(tmp_path / folder / f"{name}.png"), mask)
    monkeypatch.setattr(film_outlines, "FilmChain", Chain)
    monkeypatch.setattr(film_outlines.saved_model, "load", lambda path: path)
    folders = [str(tmp_path / "films"), str(tmp_path / "masks")]
    monkeypatch.setattr(sys, "argv", ["film_outlines.py", *folders, "--names", "a", "b", "--film_model", "f",
                                      "--crop_model", "c", "--patient", ".",
                                      "--output", str(tmp_path / "outlines.csv")])  # fmt: skip
    film_outlines.main()
    told = capsys.readouterr().out
    assert "2 films of 2 patients: film network 0.8000, with the crop network 1.0000, gain +0.2000" in told
    assert "(95 % by patients +0.2000 to +0.2000)" in told
    assert (tmp_path / "outlines.csv").read_text().splitlines() == [
        "film,film_network,with_crop_network", "a,0.8,1.0", "b,0.8,1.0"]  # fmt: skip


def test_a_film_without_a_file_is_reported(tmp_path):
    with pytest.raises(UserError, match="has no image that can be read. Expected one for each .*Received: a"):
        film_outlines.read(tmp_path, "a")


@pytest.mark.parametrize(("films", "error"), [(1, 0.005), (4, 0.01)])
def test_the_interval_resamples_patients(films, error):
    """With four equal films of each patient, the standard error is twice that of 100 independent films."""
    rows = [{"film": f"P_{number // films:05}_{number}", "film_network": 0.5,
             "with_crop_network": 0.5 + 0.1 * (number // films % 2)} for number in range(96)]  # fmt: skip
    told = film_outlines.summary(rows, "P_[0-9]+")
    low, high = map(float, re.search(r"95 % by patients ([+-].*) to ([+-].*)\)", told).groups())
    assert (low, high) == pytest.approx((0.05 - 2 * error, 0.05 + 2 * error), abs=0.004)


def test_a_name_without_a_patient_is_reported():
    with pytest.raises(UserError, match="must match the name of every film.*Received: film_1"):
        film_outlines.patient("film_1", "P_[0-9]+")


def test_dice_of_two_empty_masks_is_1():
    empty = np.zeros((3, 3), bool)
    assert film_outlines.dice(empty, empty) == 1 and film_outlines.dice(~empty, empty) == 0
    assert film_outlines.dice(np.eye(2, dtype=bool), np.ones((2, 2), bool)) == pytest.approx(2 / 3)
