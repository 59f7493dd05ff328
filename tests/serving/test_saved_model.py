import json
import os

import cv2
import numpy as np
import pytest
import tensorflow as tf
from small_model import SIZE, small_model

from tfrespam.core.errors import UserError
from tfrespam.serving.graph.signatures import export_archive
from tfrespam.serving.inference import saved_model


def fake(folder, number: int):
    version = folder / str(number)
    version.mkdir(parents=True)
    (version / "saved_model.pb").touch()
    return version


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    path = tmp_path_factory.mktemp("experiment") / "1"
    export_archive(small_model(), path, SIZE)
    (path / "metadata.json").write_text(json.dumps({"model": "small"}))
    return saved_model.load(path.parent)


def test_locate_takes_the_numerically_highest_version(tmp_path):
    for number in (1, 9, 10):
        fake(tmp_path, number)
    (tmp_path / "11").mkdir()  # empty: not a model
    assert saved_model.locate(tmp_path) == tmp_path / "10"
    assert saved_model.locate(tmp_path / "9") == tmp_path / "9"
    assert saved_model.versions(tmp_path) == [1, 9, 10, 11]


def test_locate_errors_describe_the_expected_files(tmp_path):
    with pytest.raises(UserError, match="no exported model.*Received: .*missing"):
        saved_model.locate(tmp_path / "missing")
    with pytest.raises(UserError, match="saved_model.pb in it or in a numbered subfolder"):
        saved_model.locate(tmp_path)


def test_newest_compares_times_over_all_experiments(tmp_path):
    assert saved_model.newest(tmp_path / "missing") is None
    old, new = fake(tmp_path / "a", 7), fake(tmp_path / "b", 1)
    fake(tmp_path / "c", 1).rename(tmp_path / "c" / ".2.partial-x")
    os.utime(old / "saved_model.pb", (1, 1))
    assert saved_model.newest(tmp_path) == new


def test_unreadable_metadata_is_a_user_error(tmp_path):
    assert saved_model.read_metadata(tmp_path) == {}
    (tmp_path / "metadata.json").write_text("{")
    with pytest.raises(UserError, match="Export the model again"):
        saved_model.read_metadata(tmp_path)


def test_predicts_images_and_bytes(exported):
    pixels = np.random.default_rng(0).integers(0, 256, (20, 40)).astype(np.uint8)
    probability = exported.predict_images(pixels[None, :, :, None] / 255)
    assert probability.shape == (1, 20, 40, 1) and probability.dtype == np.float32
    (answer,) = exported.predict_bytes([cv2.imencode(".png", pixels)[1].tobytes()])
    decoded = cv2.imdecode(np.frombuffer(answer.probability_png, np.uint8), cv2.IMREAD_UNCHANGED)
    np.testing.assert_allclose(decoded / 65535, probability[0, :, :, 0], atol=1e-5)
    mask = cv2.imdecode(np.frombuffer(answer.mask_png, np.uint8), cv2.IMREAD_UNCHANGED)
    assert answer.tumour_fraction == pytest.approx(np.mean(mask > 0), abs=1e-6)
    assert exported.metadata == {"model": "small"}
    assert exported.predict_bytes([]) == []


def test_scans_films_given_as_bytes_or_as_arrays(exported):
    film = np.zeros((1, 90, 60, 1), np.float32)
    film[0, 20:70, :40] = np.random.default_rng(1).integers(20000, 60000, (50, 40, 1)) / np.float32(65535)
    (answer,) = exported.predict_film([cv2.imencode(".png", np.rint(film[0] * 65535).astype(np.uint16))[1].tobytes()])
    decoded = cv2.imdecode(np.frombuffer(answer.probability_png, np.uint8), cv2.IMREAD_UNCHANGED)
    scanned = exported.scan_images(film)
    assert scanned.shape == film.shape and scanned.dtype == np.float32 and scanned[0, 45, 20] > 0
    np.testing.assert_allclose(scanned[0, :, :, 0], decoded / 65535, atol=1e-6)
    assert exported.takes_films and exported.predict_film([]) == []


def test_an_export_without_the_film_signature_is_reported(exported):
    older = saved_model.ExportedModel.__new__(saved_model.ExportedModel)
    older.path, older._signatures, older.metadata = exported.path, {"predict_bytes": None}, exported.metadata
    assert not older.takes_films
    with pytest.raises(UserError, match="without the signature predict_film. Export the model again"):
        older.predict_film([b""])


class Other(tf.Module):
    """A SavedModel of other software, with the names of its input and output."""

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 1], name="image")])
    def probability(self, image):
        return {"probability": image}

    @tf.function(input_signature=[tf.TensorSpec([None, 4], name="x")])
    def classes(self, x):
        return {"y": x}


def test_a_model_of_other_software_is_refused_where_it_lacks_a_signature(tmp_path):
    other = Other()
    tf.saved_model.save(other, str(tmp_path / "a"), {"serving_default": other.probability})
    model = saved_model.load(tmp_path / "a")
    assert model.predict_images(np.ones((1, 4, 4, 1)))[0, 0, 0, 0] == 1
    with pytest.raises(UserError, match="has no signature predict_bytes; it has serving_default. Expected"):
        model.predict_bytes([b""])
    tf.saved_model.save(other, str(tmp_path / "b"), {"serving_default": other.classes})
    with pytest.raises(UserError, match="not a model of this software .its serving_default is not from `image`"):
        saved_model.load(tmp_path / "b")


def test_a_graph_can_be_loaded_at_its_first_use(exported):
    later = saved_model.load(exported.path, at_first_use=True)
    assert "_signatures" not in vars(later) and later.metadata == exported.metadata
    image = np.full((1, 40, 40, 1), 0.5, np.float32)
    np.testing.assert_array_equal(later.predict_images(image), exported.predict_images(image))
    assert "_signatures" in vars(later)


def test_a_bad_image_is_a_user_error_with_its_position(exported):
    good = cv2.imencode(".png", np.zeros((4, 4), np.uint8))[1].tobytes()
    with pytest.raises(UserError, match=r"^image_bytes\[1\] not a readable PNG or JPEG \(damaged, or CMYK\)$"):
        exported.predict_bytes([good, b"bad"])
