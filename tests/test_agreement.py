"""experiments/agreement.py: agreement between networks and with the reference."""

import dataclasses
import importlib.util
from pathlib import Path

import numpy as np
import pytest

from tfrespam.core.errors import UserError

FILE = Path(__file__).parents[1] / "experiments" / "agreement.py"
SPEC = importlib.util.spec_from_file_location("agreement", FILE)
agreement = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(agreement)


def squares(*places: int) -> np.ndarray:
    """Make masks with a square of 4 x 4 pixels, for each given position along the diagonal."""
    masks = np.zeros((len(places), 12, 12), bool)
    for mask, place in zip(masks, places, strict=True):
        mask[place : place + 4, place : place + 4] = True
    return masks


def test_dice_of_two_networks_that_agree_but_differ_from_the_reference():
    seen, patients = squares(2, 3).astype(np.float32), np.array(["a", "b"])
    found = agreement.agreement({"A": seen, "B": seen * 0.6}, squares(4, 5), patients)
    by_pair = {(row["first"], row["second"]): row["dice"] for row in found}
    away = 2 * 4 / 32  # of 16 pixels each 4 are shared
    assert by_pair == {("A", "reference"): away, ("B", "reference"): away, ("mean of all", "reference"): away,
                       ("A", "B"): 1.0}  # fmt: skip


def test_dice_in_place_ignores_the_position_of_the_mask():
    found = agreement.dice(squares(2, 3).astype(np.float32), squares(4, 3), np.array(["a", "b"]))
    assert found["dice"] == (2 * 4 / 32 + 1) / 2 and found["in_place"] == 1.0
    none = np.zeros((2, 12, 12), np.float32)
    assert agreement.dice(none, squares(4, 3), np.array(["a", "b"]))["in_place"] == 0.0


def test_probabilities_and_not_masks_are_averaged():
    left, right = squares(2).astype(np.float32), squares(6).astype(np.float32)
    found = agreement.agreement({"A": 0.9 * left, "B": 0.2 * right}, squares(2), np.array(["a"]))
    assert {row["first"]: row["dice"] for row in found if row["second"] == "reference"}["mean of all"] == 0.0
    found = agreement.agreement({"A": 1.0 * left, "B": 0.2 * right}, squares(2), np.array(["a"]))
    assert {row["first"]: row["dice"] for row in found if row["second"] == "reference"}["mean of all"] == 1.0


def test_dice_at_the_same_size_takes_the_likeliest_pixels():
    reference = squares(2)
    probability = 0.4 * reference.astype(np.float32)  # nothing reaches 0.5
    found = agreement.dice(probability, reference, np.array(["a"]))
    assert found["dice"] == 0.0 and found["same_size"] == 1.0


def test_no_model_and_models_of_other_data_are_refused(trained, monkeypatch):
    with pytest.raises(UserError, match="expected folders of exported models. Received: none"):
        agreement.report()
    model = Path(trained[0].models_dir) / "exp"
    configs = iter(({"fold": 0}, {"fold": 1}))
    monkeypatch.setattr(agreement.DataConfig, "of", lambda _: next(configs))
    with pytest.raises(UserError, match="the same patients held out"):
        agreement.report(str(model), str(model / "1"), data_dir=trained[0].data_dir)


def test_models_that_hold_out_no_patients_are_refused(trained, monkeypatch):
    model = Path(trained[0].models_dir) / "exp"
    for protocol in ("all", "paper"):
        data = dataclasses.replace(trained[0].data, protocol=protocol)
        monkeypatch.setattr(agreement.DataConfig, "of", lambda _, data=data: data)
        with pytest.raises(UserError, match=f"expected models that hold out patients.*Received: protocol {protocol}"):
            agreement.report(str(model), data_dir=trained[0].data_dir)


def test_excluded_films_are_not_judged(trained, prepared, monkeypatch):
    """One of them is not in the data set, as `absent_films` allowed in training."""
    held_out = (prepared.table["split"] == "train") & (prepared.table["fold"] == 0)
    film = str(prepared.table["film_id"][held_out][0])
    data = dataclasses.replace(trained[0].data, exclude_films=(film, "gone"), absent_films=1)
    monkeypatch.setattr(agreement.DataConfig, "of", lambda _: data)
    _, masks, patients = agreement.outlined([str(Path(trained[0].models_dir) / "exp")], trained[0].data_dir)
    assert len(masks) == len(patients) == (held_out & (prepared.table["film_id"] != film)).sum()


def test_exported_models_are_compared_on_their_validation_images(trained, tmp_path, capsys):
    model = Path(trained[0].models_dir) / "exp"
    agreement.report(str(model), str(model / "1"), data_dir=trained[0].data_dir, output=str(tmp_path / "a.csv"))
    said, table = capsys.readouterr().out, (tmp_path / "a.csv").read_text()
    assert f"{model} | {model / '1'} | 1.0000 (nan-nan), in place 1.0000" in said  # one patient
    assert len(table.splitlines()) == 5
    agreement.report(str(model), data_dir=trained[0].data_dir)
    assert capsys.readouterr().out.count("\n") == 1
