"""Exports after further training know the patients of both trainings."""

import pytest
from small_model import small_model

import tfrespam as tr
from tfrespam.core.errors import UserError
from tfrespam.data.loading.protocols import joined


def test_an_export_after_fine_tuning_includes_the_patients_of_the_first_training(prepared, tmp_path):
    data = tr.data.load(prepared.path)
    first, second = (data.split("folds", fold=fold)[0] for fold in (0, 1))
    model = tr.load_model(tr.export(small_model(), tmp_path / "first", data=first), trainable=True)
    metadata = tr.load_model(tr.export(model, tmp_path / "second", data=second)).metadata
    assert metadata["trained_on"] == joined(second.trained_on, first.trained_on)
    with pytest.raises(UserError, match="leaks"):
        tr.evaluate(tmp_path / "second", data.split("folds", fold=1)[1])


def test_unknown_patients_of_the_first_training_are_reported(prepared, tmp_path, caplog):
    model = tr.load_model(tr.export(small_model(), tmp_path / "first"), trainable=True)
    train = tr.data.load(prepared.path).split("folds", fold=0)[0]
    with caplog.at_level("WARNING", "tfrespam"):
        metadata = tr.load_model(tr.export(model, tmp_path / "second", data=train)).metadata
    assert "training patients of the loaded model are unknown" in caplog.text
    assert metadata["trained_on"] == train.trained_on


def test_patients_that_cannot_be_stored_are_reported(prepared, tmp_path, caplog):
    data = tr.data.load(prepared.path)
    first = tr.export(small_model(), tmp_path / "first", data=data.split("folds", fold=0)[0])
    with caplog.at_level("WARNING", "tfrespam"):
        second = tr.export(tr.load_model(first, trainable=True), tmp_path / "second", data=data)
    assert "the export has no leak audit" in caplog.text and "trained_on" not in tr.load_model(second).metadata
