import numpy as np
import pytest
from drawn_films import drawn

import tfrespam as tr
from tfrespam.core.errors import UserError


def test_predict_accepts_arrays_and_files_and_writes_only_on_request(exported, images, tmp_path):
    import cv2

    for number, image in enumerate(images):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.rint(image * 65535).astype(np.uint16))
    expected = tr.load_model(exported).predict(images)
    of_arrays = tr.predict(images, exported)
    of_files = tr.predict(tmp_path, tr.load_model(exported))
    assert [each.file.name for each in of_files] == ["0.png", "1.png", "2.png"] and of_arrays[0].file is None
    for array, file, mask, probability in zip(of_arrays, of_files, *expected, strict=True):
        np.testing.assert_array_equal(array.mask, mask)
        np.testing.assert_allclose(file.probability, probability, atol=1e-3)
        assert array.tumour_fraction == pytest.approx(mask.mean())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.png", "1.png", "2.png"]
    (one,) = tr.predict(tmp_path / "0.png", exported, output=tmp_path / "out")
    assert (tmp_path / "out" / "predictions.csv").is_file() and one.mask.shape == images[0].shape
    with pytest.raises(UserError, match="`output` needs files"):
        tr.predict(images, exported, output=tmp_path)
    (tmp_path / "broken.png").write_bytes(b"no image")
    with pytest.raises(UserError, match="broken.png could not be segmented"):
        tr.predict([tmp_path / "broken.png"], exported)


def test_film_or_crop_is_decided_for_each_image_of_an_array(exported):
    crop = np.linspace(0.2, 1, 600 * 400, dtype=np.float32).reshape(600, 400)
    film = drawn(600, 400) / np.float32(65535)
    found = tr.predict(np.stack([crop, film, crop]), exported)
    assert [each.region for each in found] == ["image", "film", "image"]
    assert found[0].candidates is None and found[1].candidates is not None
    np.testing.assert_allclose(found[2].probability, tr.load_model(exported).predict(crop).probabilities[0], atol=1e-5)
    np.testing.assert_array_equal(found[1].probability, tr.predict(film, exported, film="always")[0].probability)
    assert [each.region for each in tr.predict(np.stack([film, crop]), exported, film="never")] == ["image"] * 2


def test_films_in_colour_are_rejected(exported):
    with pytest.raises(UserError, match="whole films must be grey.* Received: .1, 60, 40, 3."):
        tr.predict(np.zeros((1, 60, 40, 3)), exported, film="always")


def test_a_film_is_a_crop_for_a_model_without_a_signature_for_films(exported, monkeypatch):
    model = tr.load_model(exported)
    monkeypatch.setattr(type(model.exported), "takes_films", False)
    assert tr.predict(drawn(600, 400), model)[0].region == "image"


@pytest.mark.parametrize(("given", "options", "message"), [
    ([], {}, "`images` must be an array, or one or more files and folders. Received: an empty list"),
    ([np.zeros((8, 8))], {}, "Received: a list with ndarray"),
    ("a.png", {"batch_size": 0}, "`batch_size` must be 1 or more. Received: 0"),
])  # fmt: skip
def test_invalid_arguments_are_rejected_before_a_model_is_loaded(given, options, message):
    with pytest.raises(UserError, match=message):
        tr.predict(given, "nowhere", **options)


@pytest.mark.parametrize("context", [1.0, 3.2])
def test_a_known_context_means_the_same_for_arrays_and_files(exported, images, tmp_path, context):
    import cv2

    from tfrespam.serving.inference import region

    deep = np.rint(images[0] * 65535).astype(np.uint16)
    cv2.imwrite(str(tmp_path / "crop.png"), deep)
    (array,) = tr.predict(deep, exported, context=context)
    (file,) = tr.predict(tmp_path / "crop.png", exported, context=context, output=tmp_path / "out")
    np.testing.assert_allclose(array.probability, file.probability, atol=2 / 65535)
    written = cv2.imread(str(tmp_path / "out" / "crop_mask.png"), cv2.IMREAD_GRAYSCALE)
    np.testing.assert_array_equal(written > 0, file.mask)
    square = region.recentred(deep.shape, context, (1.6, 1.6))
    shown = tr.predict(region.cut(deep, square, mirrored=True), exported)[0]
    (y0, x0), (y1, x1) = np.maximum(square[:2], 0), np.minimum(square[2:], deep.shape)
    part = shown.probability[y0 - square[0] : y1 - square[0], x0 - square[1] : x1 - square[1]]
    np.testing.assert_array_equal(array.probability[y0:y1, x0:x1], part)
    with pytest.raises(UserError, match="`context` must be"):
        tr.predict(deep, exported, context=0.5)


def test_the_assumed_context_of_a_crop_file_is_reported(exported, images, tmp_path):
    import json
    import shutil

    import dicom_files

    model = shutil.copytree(exported, tmp_path / "model" / "1")  # known to be trained at one context
    metadata = json.loads((model / "metadata.json").read_text())
    (model / "metadata.json").write_text(json.dumps(metadata | {"data": {"view": "roi", "context": 1.6}}))
    deep = np.rint(images[0] * 65535).astype(np.uint16)
    named = dicom_files.write(tmp_path / "crop.dcm", deep, SeriesDescription="cropped images")
    plain = dicom_files.write(tmp_path / "plain.dcm", deep)
    assumed, without = tr.predict([named, plain], model)
    assert "a crop file of CBIS-DDSM: context 1.35 assumed (`context` states another)" in assumed.notes
    assert not any("CBIS-DDSM" in note for note in without.notes)
    np.testing.assert_allclose(assumed.probability, tr.predict(plain, model, context=1.35)[0].probability, atol=1e-6)
