"""Export and example images of a finished run."""

import json

import keras
import numpy as np
import pytest

from tfrespam.data.loading import protocols
from tfrespam.serving.inference import saved_model

pytestmark = pytest.mark.usefixtures("switches")


def test_exported_model_has_the_selected_weights(trained, prepared):
    from tfrespam.data.loading import pipeline

    experiment, folder = trained
    (images, _), *_ = pipeline.evaluation(prepared, prepared.table["split"] == "test", batch_size=5).as_numpy_iterator()
    best = keras.saving.load_model(folder / "best.keras", compile=False)
    exported = saved_model.load(f"{experiment.models_dir}/exp")
    np.testing.assert_allclose(exported.predict_images(images), best.predict(images, verbose=0), rtol=0, atol=1e-6)
    trained_on = protocols.identities(prepared.table, protocols.splits(prepared.table, "official")["train"])
    assert exported.metadata["trained_on"] == trained_on
    assert not any(patient in json.dumps(trained_on) for patient in prepared.table["patient_id"])


def test_exported_version_records_its_scores(trained):
    experiment, folder = trained
    path = saved_model.locate(f"{experiment.models_dir}/exp")
    known, summary = json.loads((path / "metadata.json").read_text()), json.loads((folder / "summary.json").read_text())
    assert known["metrics"][summary["split"]]["metrics"] == summary["metrics"]
    assert f"{summary['metrics']['dice']['image']:.3f}" in (path / "model_card.md").read_text()


def test_example_images_are_evaluated_images_as_stored(trained, prepared):
    from tfrespam.data.loading import pipeline

    judged = prepared.table["split"] == "test"
    stored = [example["image"] for example in pipeline.encoded(prepared, judged).as_numpy_iterator()]
    files = sorted((trained[1] / "examples").iterdir())
    assert [file.name for file in files] == [f"{number:02}.png" for number in range(1, min(len(stored), 12) + 1)]
    assert [file.read_bytes() for file in files] == stored[:12]
