import dataclasses

import keras
import pytest

import tfrespam as tr
from tfrespam.api import evaluate_model
from tfrespam.core.errors import UserError


def test_evaluate_of_arrays_a_data_set_and_examples_agree(prepared, tmp_path):
    keras.utils.set_random_seed(0)
    model = tr.build_model("unet", (32, 32, 1), width=0.0625)
    data = tr.data.load(prepared.path)
    train, validation = data.split("folds", fold=0)
    images, masks = validation.arrays()
    of_arrays = tr.evaluate(model, (images, masks))
    of_examples = tr.evaluate(model, validation, output=tmp_path / "out")
    assert of_arrays.metrics["dice"] == pytest.approx(of_examples.metrics["dice"], abs=1e-6)
    dice = tr.metrics.Dice()
    dice.update_state(masks, model(images))
    assert of_arrays.metrics["dice"] == pytest.approx(float(dice.result()), abs=1e-6)
    assert len(of_examples.rows) == len(validation) and of_examples.summary["split"] == "validation"
    assert (tmp_path / "out" / "summary.json").is_file()
    path = tr.export(model, tmp_path / "unet", data=train)
    of_folder = tr.evaluate(path, prepared.path)  # protocol and fold as the model was trained
    assert of_folder.metrics["dice"] == pytest.approx(of_arrays.metrics["dice"], abs=1e-3)
    assert of_folder.summary["leak_audit"] == {"copy": 0, "film": 0, "breast": 0, "patient": 0}
    with pytest.raises(UserError, match="leaks"):
        tr.evaluate(path, data, protocol="folds", fold=1)
    with pytest.raises(UserError, match="same number, height and width"):
        tr.evaluate(model, (images, masks[:, :16]))


def test_examples_are_evaluated_with_their_own_seed(prepared, monkeypatch):
    """Under protocol paper the seed draws the split, which a model in memory does not know."""
    seeds = []
    monkeypatch.setattr(evaluate_model, "Evaluation", lambda *_, seed: seeds.append(seed) or Stopped())
    validation = tr.data.load(prepared.path).split("folds", fold=0)[1]
    for examples in (dataclasses.replace(validation, seed=3), prepared.path):
        with pytest.raises(StopIteration):
            tr.evaluate(tr.build_model("unet", (32, 32, 1), width=0.0625), examples)
    assert seeds == [3, None]


class Stopped:
    def compute(self):
        raise StopIteration
