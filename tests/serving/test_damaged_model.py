"""Exported models with a damaged file are rejected; NaN outputs are errors."""

import json
import shutil

import keras
import numpy as np
import pytest
from damage import outcomes

from tfrespam.core.errors import UserError
from tfrespam.serving.inference import saved_model
from tfrespam.workflows.exporting import export_model

DATA = "variables/variables.data-00000-of-00001"


@pytest.fixture
def copy(small_export, tmp_path):
    return shutil.copytree(small_export / "1", tmp_path / "copy")


@pytest.mark.parametrize("name", ["saved_model.pb", DATA, "variables/variables.index"])
def test_every_changed_bit_is_detected(copy, name):
    assert set(outcomes(copy / name, 8, lambda: saved_model.load(copy), UserError)) == {"refused"}


def test_damage_is_detected_without_a_digest(copy):
    """As in exports of earlier releases and in models of other software."""
    (copy / "metadata.json").unlink()
    for name in ("saved_model.pb", DATA, "variables/variables.index"):
        whole = (copy / name).read_bytes()
        (copy / name).write_bytes(whole[: len(whole) // 2])
        with pytest.raises(UserError, match="is damaged or not a model of this software"):
            saved_model.load(copy)
        (copy / name).write_bytes(whole)
    saved_model.load(copy)


def test_a_damaged_description_is_refused(copy):
    for content in ("{", "[1, 2]", "\udcff", ""):
        (copy / "metadata.json").write_bytes(content.encode("utf-8", "surrogateescape"))
        with pytest.raises(UserError, match="metadata.json cannot be read"):
            saved_model.load(copy)


@pytest.fixture(scope="module")
def nan_model(tmp_path_factory):
    """A model whose output is NaN if the first pixel is black; that of the export's random test images is not."""
    image = keras.Input((32, 32, 1), name="image")
    first = keras.layers.Cropping2D(((0, 31), (0, 31)))(image)
    probability = keras.layers.Multiply(name="probability")([image, keras.layers.Rescaling(1.0)(first / first)])
    return export_model(keras.Model(image, probability), tmp_path_factory.mktemp("nan"), "nan", {"model": "nan"})


def test_nan_output_is_an_error_and_not_an_empty_mask(nan_model):
    import cv2

    model = saved_model.load(nan_model)
    pictures = [cv2.imencode(".png", np.full((32, 32), grey, np.uint8))[1].tobytes() for grey in (0, 200)]
    assert model.predict_bytes(pictures[1:])[0].tumour_fraction == 1
    for answer in (model.predict_bytes, model.predict_film):
        with pytest.raises(UserError, match="the network answers with NaN"):
            answer(pictures[:1])


def test_nan_in_an_image_gives_nan_in_the_output(small_export):
    image = np.full((1, 32, 32, 1), 0.5, np.float32)
    image[0, 3, 4] = np.nan
    assert np.isnan(saved_model.load(small_export).predict_images(image)).any()


def test_a_model_with_nan_output_is_not_evaluated(nan_model, prepared, monkeypatch, tmp_path):
    from tfrespam.config import DataConfig
    from tfrespam.workflows.evaluation import Evaluation

    exported = saved_model.load(nan_model)
    monkeypatch.setattr(type(exported), "predict_images", lambda _, images: np.full_like(images, np.nan))
    with pytest.raises(UserError, match="answers with NaN"):
        Evaluation(exported, prepared, DataConfig(dataset="tiny", image_size=32), "test").write(tmp_path)
    assert json.dumps([path.name for path in tmp_path.iterdir()]) == "[]"
