"""Which exported models `predict` uses."""

import shutil

import pytest

from tfrespam.core.errors import UserError
from tfrespam.serving.inference.saved_model import fingerprint
from tfrespam.workflows import prediction_models


@pytest.fixture
def models(exported, tmp_path):
    """Folder with a model for crops and one that counts as trained on films."""
    for name in ("pretrained", "films"):
        shutil.copytree(exported, tmp_path / name)
    (tmp_path / "films" / "1" / "metadata.json").write_text('{"data": {"view": "film"}}')
    return tmp_path


def test_the_pretrained_pair_is_used_if_no_model_is_named(models):
    chain, place = prediction_models.on_disk(None, None, str(models), None)
    assert chain.crops.path == models / "pretrained" / "1" and chain.finder.path == models / "films" / "1"
    assert place == f"{models / 'pretrained' / '1'}, films with {models / 'films' / '1'}" and chain.outlines


def test_a_film_with_a_box_needs_only_the_crop_network(models):
    chain, place = prediction_models.on_disk(None, None, str(models), None, boxed=True)
    assert place == str(models / "pretrained" / "1") and chain.finder is chain.crops and not chain.outlines


def test_a_named_model_also_searches_films_unless_a_film_model_is_named(models, exported):
    alone, place = prediction_models.on_disk(str(exported), None, str(models), None)
    assert alone.finder is alone.crops and place == str(alone.crops.path)
    pair, _ = prediction_models.on_disk(str(exported), str(models / "films"), str(models), None)
    assert pair.finder.path == models / "films" / "1"


def test_a_film_model_that_was_trained_on_crops_is_refused(models, exported):
    with pytest.raises(UserError, match="`film_model` must be a model that was trained on whole films"):
        prediction_models.on_disk(None, str(exported), str(models), None)


def test_dicom_objects_name_both_networks_and_the_level_of_the_outlines(models):
    chain, _ = prediction_models.on_disk(None, None, str(models), None)
    found = prediction_models.algorithms(chain, "served", None)
    assert found["film"].threshold == 0.4 and found["image"] == found["box"]
    assert found["film"].sha256 == f"{fingerprint(chain.finder.path)}+{found['image'].sha256}"
    alone, _ = prediction_models.on_disk(None, None, str(models), None, boxed=True)
    assert "+" not in prediction_models.algorithms(alone, "served", None)["film"].sha256
