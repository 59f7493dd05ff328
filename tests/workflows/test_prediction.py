"""Segmentation of files of every kind."""

import csv
import os
import shutil
import threading

import cv2
import dicom_files
import numpy as np
import pytest
from bright_blobs import blob, table, write
from PIL import Image
from small_model import SIZE, small_model

from tfrespam.core.errors import UserError
from tfrespam.evaluation.overlay import PREDICTION
from tfrespam.predict import predict
from tfrespam.serving.graph.signatures import export_archive
from tfrespam.serving.inference import saved_model
from tfrespam.serving.inference.film_chain import decoded
from tfrespam.serving.inference.written import IMAGE_ENDINGS
from tfrespam.workflows import prediction
from tfrespam.workflows.prediction import FIELDS


def read(path):
    return cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)


def test_every_file_type_is_segmented_at_its_own_size(exported, tmp_path):
    source, output = tmp_path / "my films", tmp_path / "out put"
    deep = write(source / "deep.png", blob(40, 60))
    write(source / "ünï çode.jpg", cv2.merge([blob(50, 30, np.uint8)] * 3))
    Image.fromarray(blob(33, 45)).save(source / "scan.tiff")
    dicom_files.write(source / "1.2.840.99", 65535 - blob(64, 32), PhotometricInterpretation="MONOCHROME1",
                      SOPClassUID=dicom_files.MAMMOGRAPHY, ImagerPixelSpacing=[0.2, 0.2])  # fmt: skip
    write(source / "same" / "deep.png", blob(21, 21))
    predict(str(source), output=str(output), model=str(exported), batch_size=2)
    rows = table(output)
    assert {name: (int(row["height"]), int(row["width"])) for name, row in rows.items()} == {
        "deep": (40, 60), "ünï çode": (50, 30), "scan": (33, 45), "1.2.840.99": (64, 32), "same_deep": (21, 21),
    }  # fmt: skip
    assert {row["status"] for row in rows.values()} == {"ok"} and list(rows["deep"]) == list(FIELDS)
    assert len(os.listdir(output)) == len(rows) * len(IMAGE_ENDINGS) + 1
    for name, row in rows.items():
        mask, probability, overlay = (read(output / f"{name}{ending}") for ending in IMAGE_ENDINGS)
        size = int(row["height"]), int(row["width"])
        assert mask.shape == probability.shape == size and overlay.shape == (*size, 3)
        np.testing.assert_array_equal(mask, np.where(probability >= 32768, 255, 0))
        assert int(row["area_px"]) == np.count_nonzero(mask) > 0
        assert float(row["tumour_fraction"]) == pytest.approx(np.mean(mask > 0), abs=1e-6)
        assert float(row["mean_probability"]) == pytest.approx(probability[mask > 0].mean() / 65535, abs=1e-5)
        assert (overlay == PREDICTION[::-1]).all(axis=-1).any()
    pixels = read(deep)
    served = saved_model.load(exported).predict_images(pixels[None, :, :, None] / np.float32(65535))[0, :, :, 0]
    np.testing.assert_allclose(read(output / "deep_probability.png") / 65535, served, atol=1e-5)


def test_sizes_are_in_mm_where_the_spacing_is_known(exported, tmp_path):
    pixels = blob(48, 40)
    dicom_files.write(tmp_path / "film.dcm", pixels, SOPClassUID=dicom_files.MAMMOGRAPHY, PixelSpacing=[0.25, 0.25])
    write(tmp_path / "png.png", pixels)
    predict(str(tmp_path), output=str(tmp_path / "out"), model=str(exported))
    film, png = table(tmp_path / "out")["film"], table(tmp_path / "out")["png"]
    assert float(film["area_mm2"]) == pytest.approx(int(film["area_px"]) / 16, abs=1e-3)
    assert float(film["longest_diameter_mm"]) == pytest.approx(float(film["longest_diameter_px"]) / 4, abs=0.01)
    assert png["area_mm2"] == png["longest_diameter_mm"] == ""


def test_a_monochrome1_film_and_its_positive_give_the_same_mask(exported, tmp_path):
    pixels = blob(30, 30)
    dicom_files.write(tmp_path / "negative.dcm", 65535 - pixels, PhotometricInterpretation="MONOCHROME1")
    dicom_files.write(tmp_path / "positive.dcm", pixels)
    predict(str(tmp_path), output=str(tmp_path / "out"), model=str(exported))
    masks = [(tmp_path / "out" / f"{name}_mask.png").read_bytes() for name in ("negative", "positive")]
    assert masks[0] == masks[1]


def test_bad_files_are_reported_and_the_others_segmented(exported, tmp_path, capsys):
    good = write(tmp_path / "good.png", blob(20, 20))
    half = write(tmp_path / "half.png", blob(30, 30))
    half.write_bytes(half.read_bytes()[:400])
    text = tmp_path / "text.dcm"
    text.write_text("no film")
    with pytest.raises(UserError, match="2 of 3 files could not be segmented"):
        predict(str(half), str(good), str(text), output=str(tmp_path / "out"), model=str(exported))
    rows = table(tmp_path / "out")
    assert rows["good"]["status"] == "ok" and (tmp_path / "out" / "good_mask.png").exists()
    assert rows["half"]["status"].startswith("failed: ") and rows["half"]["area_px"] == ""
    assert not (tmp_path / "out" / "half_mask.png").exists()
    errors = capsys.readouterr().err
    assert f"failed: {half}: " in errors and f"failed: {text}: not a PNG, JPEG, TIFF, BMP, PGM or DICOM file" in errors


def test_an_image_rejected_by_the_graph_does_not_affect_its_batch(tmp_path):
    export_archive(small_model(), tmp_path / "model", SIZE, max_pixels=500)
    for name, side in (("a", 20), ("large", 25), ("b", 15)):
        write(tmp_path / "in" / f"{name}.png", blob(side, side))
    with pytest.raises(UserError, match="1 of 3 files"):
        predict(str(tmp_path / "in"), output=str(tmp_path / "out"), model=str(tmp_path / "model"))
    status = {name: row["status"] for name, row in table(tmp_path / "out").items()}
    assert "larger than the limit of 500 pixels" in status.pop("large") and set(status.values()) == {"ok"}


def test_threshold_can_be_chosen(exported, tmp_path):
    write(tmp_path / "a.png", blob(30, 30))
    areas = []
    for threshold in (0.2, 0.8):
        predict(str(tmp_path / "a.png"), output=str(tmp_path / "out"), model=str(exported), threshold=threshold)
        mask, probability = (read(tmp_path / "out" / f"a_{kind}.png") for kind in ("mask", "probability"))
        np.testing.assert_array_equal(mask, np.where(probability >= threshold * 65535, 255, 0))
        areas.append(int(table(tmp_path / "out")["a"]["area_px"]))
    assert areas[0] > areas[1]


def test_the_default_model_is_the_pretrained_or_else_the_newest(exported, tmp_path, monkeypatch):
    write(tmp_path / "a.png", blob(20, 20))
    predict(str(tmp_path / "a.png"), output=str(tmp_path / "out"), models_dir=str(exported.parent))
    assert table(tmp_path / "out")["a"]["status"] == "ok"
    (tmp_path / "models" / "pretrained").mkdir(parents=True)
    with pytest.raises(UserError, match="pretrained contains no exported model"):
        predict(str(tmp_path / "a.png"), output=str(tmp_path / "out"), models_dir=str(tmp_path / "models"))
    asked = []
    monkeypatch.setattr("tfrespam.workflows.prediction_models.shipped", lambda: asked.append(1) or exported)
    predict(str(tmp_path / "a.png"), output=str(tmp_path / "out"), models_dir=str(tmp_path / "none"))
    assert asked and table(tmp_path / "out")["a"]["status"] == "ok"
    monkeypatch.setattr("tfrespam.workflows.prediction_models.shipped", lambda: None)
    with pytest.raises(UserError, match="Train one with: python -m tfrespam.train"):
        predict(str(tmp_path / "a.png"), output=str(tmp_path / "out"), models_dir=str(tmp_path / "none"))


def breast(height: int, width: int) -> np.ndarray:
    """A film of 16 bits: tissue at the left edge, a dark background, a label."""
    film = np.full((height, width), 300, np.uint16)
    tissue = blob(height // 2, width // 2) // 2 + 20000
    film[height // 4 : height // 4 + len(tissue), : tissue.shape[1]] = tissue
    film[5:25, width - 40 : width - 10] = 65535
    return film


def test_only_whole_films_are_scanned(exported, tmp_path, capsys):
    write(tmp_path / "film.png", breast(600, 400))
    write(tmp_path / "crop.png", blob(600, 400))
    predict(str(tmp_path), output=str(tmp_path / "auto"), model=str(exported))
    assert {name: row["region"] for name, row in table(tmp_path / "auto").items()} == {
        "film": "film", "crop": "image"}  # fmt: skip
    assert "2 images segmented" in (said := capsys.readouterr().out) and "1 of them as whole films: " in said
    found = read(tmp_path / "auto" / "film_probability.png")
    assert found.shape == (600, 400) and found[:100].max() == 0 and found[:, 230:].max() == 0 and found.max() > 0
    (expected,) = saved_model.load(exported).predict_film([(tmp_path / "film.png").read_bytes()])
    np.testing.assert_array_equal(read(tmp_path / "auto" / "film_mask.png") > 0, decoded(expected.mask_png) > 0)
    predict(str(tmp_path), output=str(tmp_path / "always"), model=str(exported), film="always")
    predict(str(tmp_path), output=str(tmp_path / "never"), model=str(exported), film="never")
    assert {row["region"] for row in table(tmp_path / "always").values()} == {"film"}
    assert {row["region"] for row in table(tmp_path / "never").values()} == {"image"}
    assert read(tmp_path / "never" / "film_probability.png")[:100].max() > 0


def test_a_film_model_treats_every_image_as_a_film(exported, tmp_path):
    shutil.copytree(exported, tmp_path / "model")
    (tmp_path / "model" / "1" / "metadata.json").write_text('{"data": {"view": "film"}}')
    write(tmp_path / "a.png", blob(60, 40))
    predict(str(tmp_path / "a.png"), output=str(tmp_path / "out"), model=str(tmp_path / "model"))
    assert table(tmp_path / "out")["a"]["region"] == "film"
    with pytest.raises(UserError, match="`box` needs a model that was trained on crops"):
        predict(str(tmp_path / "a.png"), output=str(tmp_path / "o"), model=str(tmp_path / "model"), box=(1, 1, 9, 9))


def test_a_box_is_cropped_as_in_training_and_pasted_back(exported, tmp_path):
    film = breast(600, 400)
    dicom_files.write(tmp_path / "film.dcm", film, SOPClassUID=dicom_files.MAMMOGRAPHY, PixelSpacing=[0.1, 0.1])
    predict(str(tmp_path / "film.dcm"), output=str(tmp_path / "out"), model=str(exported), box=(200, 50, 260, 90))
    row = table(tmp_path / "out")["film"]
    assert (row["region"], row["height"], row["width"]) == ("box", "600", "400")
    probability = read(tmp_path / "out" / "film_probability.png")
    y0, x0, y1, x1 = 182, 22, 278, 118  # 1.6 x 60 pixels about the box's middle
    pixels = film.astype(np.float32)
    piece = np.rint((pixels - pixels.min()) * (65535 / np.ptp(pixels)))[y0:y1, x0:x1]  # as the DICOM reader scales
    served = saved_model.load(exported).predict_images(piece[None, :, :, None] / np.float32(65535))[0, :, :, 0]
    np.testing.assert_allclose(probability[y0:y1, x0:x1] / 65535, served, atol=1e-4)
    probability[y0:y1, x0:x1] = 0
    assert not probability.any()
    assert float(row["area_mm2"]) == pytest.approx(int(row["area_px"]) / 100, abs=1e-3)


def test_a_box_requires_one_image_and_must_lie_inside_it(exported, tmp_path):
    for name in "ab":
        write(tmp_path / f"{name}.png", blob(30, 30))
    with pytest.raises(UserError, match="`box` requires a single image. Received: 2 images"):
        predict(str(tmp_path), output=str(tmp_path / "out"), model=str(exported), box=(0, 0, 9, 9))
    with pytest.raises(UserError, match="1 of 1 files could not be segmented"):
        predict(str(tmp_path / "a.png"), output=str(tmp_path / "out"), model=str(exported), box=(0, 0, 9, 31))
    assert "inside the image of 30 x 30 pixels" in table(tmp_path / "out")["a"]["status"]
    with pytest.raises(UserError, match="`film_model` searches films, and `box` names the mass"):
        predict(str(tmp_path / "a.png"), output=str(tmp_path / "out"), model=str(exported), film_model=str(exported),
                box=(0, 0, 9, 9))  # fmt: skip


def test_files_are_read_and_written_during_inference(small_export, tmp_path, monkeypatch):
    """Files are read and written in other threads than the network's; rows keep the order of the files."""
    from tfrespam.serving.inference import inputs
    from tfrespam.serving.inference.saved_model import ExportedModel
    from tfrespam.workflows import prediction_results

    for number in range(10):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.arange(30 * (20 + number), dtype=np.uint16).reshape(-1, 30))
    threads = {"read": set(), "network": set(), "write": set()}

    def noted(step, function):
        def work(*words, **options):
            threads[step].add(threading.current_thread())
            return function(*words, **options)

        return work

    monkeypatch.setattr(inputs, "read", noted("read", inputs.read))
    monkeypatch.setattr(ExportedModel, "predict_bytes", noted("network", ExportedModel.predict_bytes))
    monkeypatch.setattr(prediction_results, "_write", noted("write", prediction_results._write))
    predict(str(tmp_path), output=str(tmp_path / "out"), model=str(small_export), batch_size=2)
    assert threads["network"] == {threading.current_thread()}
    assert threading.current_thread() not in threads["read"] | threads["write"]
    assert not threads["read"] & threads["write"]
    with open(tmp_path / "out" / "predictions.csv", newline="", encoding="utf-8") as file:
        assert [int(row["height"]) for row in csv.DictReader(file)] == list(range(20, 30))


def test_a_call_that_is_killed_before_its_tables_are_written_is_resumed(exported, tmp_path, monkeypatch, capsys):
    """Also a film without a mass, for which no report is written."""
    pytest.importorskip("highdicom")
    study = {"StudyInstanceUID": "1.2", "SeriesInstanceUID": "1.2.3", "SOPClassUID": dicom_files.MAMMOGRAPHY}
    for name in ("a", "b"):
        dicom_files.write(tmp_path / f"{name}.dcm", blob(30, 30), **study)
    options = {"output": str(tmp_path / "out"), "model": str(exported), "threshold": 0.999999, "dicom_sr": True}
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(prediction, "_write_tables", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        predict(str(tmp_path), **options)
    monkeypatch.setattr(prediction, "_answered", lambda batches, *_: (pytest.fail("segmented again") for _ in batches))
    predict(str(tmp_path), **options)
    assert "2 of 2 images were finished by an earlier call" in capsys.readouterr().out
    assert {row["area_px"] for row in table(tmp_path / "out").values()} == {"0"}
    assert not list((tmp_path / "out").glob(".predict*")) and not list((tmp_path / "out").glob("*_sr.dcm"))


def test_large_files_are_grouped_in_smaller_batches(tmp_path, monkeypatch):
    """Batches are in memory, so those of films contain fewer files than those of crops."""
    from tfrespam.serving.inference.jobs import Case

    monkeypatch.setattr(prediction, "LARGEST_BATCH", 100)
    cases = []
    for number, size in enumerate([10, 10, 10, 10, 90, 20, 200, 5]):
        (tmp_path / str(number)).write_bytes(bytes(size))
        cases.append(Case(tmp_path / str(number), str(number)))
    cases.append(Case(tmp_path / "none", "none"))
    batches = [[case.name for case in batch] for batch in prediction._batches(cases, 3)]
    assert batches == [["0", "1", "2"], ["3", "4"], ["5"], ["6"], ["7", "none"]]
