import csv
import os
import shutil
import subprocess
import sys

import cv2
import dicom_files
import numpy as np
import pytest
from PIL import Image
from small_model import SIZE, small_model

from tfrespam import cli
from tfrespam.errors import UserError
from tfrespam.evaluation.overlay import PREDICTION
from tfrespam.predict import FIELDS, predict
from tfrespam.serving import saved_model
from tfrespam.serving.signatures import export_archive
from tfrespam.serving.written import PICTURES


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """An experiment's folder with one version."""
    path = tmp_path_factory.mktemp("saved_models") / "small"
    export_archive(small_model(), path / "1", SIZE)
    return path


def blob(height: int, width: int, dtype=np.uint16) -> np.ndarray:
    noise = np.random.default_rng(height).random((height, width)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 4)
    return np.rint(cv2.normalize(smooth, None, 0, np.iinfo(dtype).max, cv2.NORM_MINMAX)).astype(dtype)


def write(path, picture):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix, picture)[1].tobytes())
    return path


def read(path):
    return cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)


def table(folder) -> dict[str, dict[str, str]]:
    with open(folder / "predictions.csv", newline="", encoding="utf-8") as file:
        return {row["name"]: row for row in csv.DictReader(file)}


def test_segments_every_kind_at_its_own_size(exported, tmp_path):
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
    assert len(os.listdir(output)) == len(rows) * len(PICTURES) + 1
    for name, row in rows.items():
        mask, probability, overlay = (read(output / f"{name}{ending}") for ending in PICTURES)
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


def test_a_monochrome1_film_gives_the_mask_of_its_positive(exported, tmp_path):
    pixels = blob(30, 30)
    dicom_files.write(tmp_path / "negative.dcm", 65535 - pixels, PhotometricInterpretation="MONOCHROME1")
    dicom_files.write(tmp_path / "positive.dcm", pixels)
    predict(str(tmp_path), output=str(tmp_path / "out"), model=str(exported))
    masks = [(tmp_path / "out" / f"{name}_mask.png").read_bytes() for name in ("negative", "positive")]
    assert masks[0] == masks[1]


def test_bad_files_are_reported_and_the_others_done(exported, tmp_path, capsys):
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
    assert f"failed: {half}: " in errors and f"failed: {text}: not a PNG, JPEG, TIFF or DICOM file" in errors


def test_what_only_the_graph_refuses_does_not_spoil_its_batch(tmp_path):
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


def test_results_of_an_earlier_call_are_not_segmented_again(exported, tmp_path):
    write(tmp_path / "a.png", blob(20, 20))
    for _ in range(2):
        predict(str(tmp_path), output=str(tmp_path), model=str(exported))
    assert list(table(tmp_path)) == ["a"]
    with pytest.raises(UserError, match="nothing but earlier results"):
        predict(str(tmp_path / "a_mask.png"), output=str(tmp_path), model=str(exported))


def test_the_users_own_files_are_never_replaced(exported, tmp_path):
    """As BUSI names them: a reference beside each picture is called what the result would be called."""
    write(tmp_path / "a.png", blob(20, 20))
    own = write(tmp_path / "a_mask.png", np.zeros((20, 20), np.uint8)).read_bytes()
    with pytest.raises(UserError, match="a_mask.png is there and was not written by predict.*another --output"):
        predict(str(tmp_path / "a.png"), output=str(tmp_path), model=str(exported))
    assert (tmp_path / "a_mask.png").read_bytes() == own and not (tmp_path / "predictions.csv").exists()
    predict(str(tmp_path / "a.png"), output=str(tmp_path / "out"), model=str(exported))


def test_a_table_of_the_user_is_not_replaced(exported, tmp_path):
    write(tmp_path / "a.png", blob(20, 20))
    (tmp_path / "predictions.csv").write_text("name,answer\na,benign\n")
    own = write(tmp_path / "a_mask.png", np.zeros((20, 20), np.uint8)).read_bytes()
    with pytest.raises(UserError, match="predictions.csv is there and was not written by predict.*another --output"):
        predict(str(tmp_path / "a.png"), output=str(tmp_path), model=str(exported))
    assert "benign" in (tmp_path / "predictions.csv").read_text() and (tmp_path / "a_mask.png").read_bytes() == own


def test_a_file_that_would_not_be_written_refuses_nothing(exported, tmp_path):
    """A PNG has no DICOM segmentation, so one of its name may be there."""
    write(tmp_path / "a.png", blob(20, 20))
    (tmp_path / "a_seg.dcm").write_bytes(b"the user's")
    predict(str(tmp_path / "a.png"), output=str(tmp_path), model=str(exported), dicom_seg=True)
    assert table(tmp_path)["a"]["status"] == "ok" and (tmp_path / "a_seg.dcm").read_bytes() == b"the user's"


def test_results_in_any_folder_are_no_pictures_and_stay_ours(exported, tmp_path):
    """Also where the table tells of a later call alone."""
    for name in ("a", "b"):
        write(tmp_path / f"{name}.png", blob(20, 20))
        predict(str(tmp_path / f"{name}.png"), output=str(tmp_path / "out"), model=str(exported))
    predict(str(tmp_path), output=str(tmp_path / "other"), model=str(exported))
    assert list(table(tmp_path / "other")) == ["a", "b"]
    predict(str(tmp_path / "a.png"), output=str(tmp_path / "out"), model=str(exported))
    assert (tmp_path / "out" / ".predict.names").exists() and not (tmp_path / "other" / ".predict.names").exists()


def test_a_name_as_long_as_file_systems_allow(exported, tmp_path):
    file = write(tmp_path / f"{'x' * 246}.png", blob(20, 20))
    predict(str(file), output=str(tmp_path / "out"), model=str(exported))
    assert list(table(tmp_path / "out").values())[0]["status"] == "ok"


def test_without_a_model_the_pretrained_or_else_the_newest_is_taken(exported, tmp_path, monkeypatch):
    write(tmp_path / "a.png", blob(20, 20))
    predict(str(tmp_path / "a.png"), output=str(tmp_path / "out"), models_dir=str(exported.parent))
    assert table(tmp_path / "out")["a"]["status"] == "ok"
    (tmp_path / "models" / "pretrained").mkdir(parents=True)
    with pytest.raises(UserError, match="pretrained holds no exported model"):
        predict(str(tmp_path / "a.png"), output=str(tmp_path / "out"), models_dir=str(tmp_path / "models"))
    asked = []
    monkeypatch.setattr("tfrespam.serving.shipped.shipped", lambda: asked.append(1) or exported)
    predict(str(tmp_path / "a.png"), output=str(tmp_path / "out"), models_dir=str(tmp_path / "none"))
    assert asked and table(tmp_path / "out")["a"]["status"] == "ok"
    monkeypatch.setattr("tfrespam.serving.shipped.shipped", lambda: None)
    with pytest.raises(UserError, match="Train one with: python -m tfrespam.train"):
        predict(str(tmp_path / "a.png"), output=str(tmp_path / "out"), models_dir=str(tmp_path / "none"))


@pytest.mark.parametrize(("options", "message"), [
    ({"threshold": 1.0}, "--threshold must be a probability"), ({"batch_size": 0}, "--batch_size must be 1 or more"),
    ({"output": __file__}, "--output must be a folder"), ({"model": "nowhere"}, "no exported model"),
])  # fmt: skip
def test_options_that_cannot_be_used_are_refused(tmp_path, options, message):
    write(tmp_path / "a.png", blob(20, 20))
    with pytest.raises(UserError, match=message):
        predict(str(tmp_path / "a.png"), **{"output": str(tmp_path / "out")} | options)
    assert not (tmp_path / "out").exists()


def test_a_missing_input_stops_everything(tmp_path):
    with pytest.raises(UserError, match="no such file, folder or match: .*missing.png"):
        predict(str(tmp_path / "missing.png"), output=str(tmp_path / "out"))


def test_the_command_line_takes_several_inputs_and_named_options():
    inputs, options = cli.parse(predict, ["a.png", "b c.dcm", "--output", "out", "--threshold", "0.4"])
    assert inputs == ["a.png", "b c.dcm"] and options["output"] == "out" and options["threshold"] == 0.4
    assert cli.parse(predict, ["--output", "out", "a", "b"])[0] == ["a", "b"]


def test_the_command_line_needs_no_tensorflow_and_fails_with_status_2(tmp_path):
    code = "import sys; from tfrespam import cli, predict; cli.parse(predict.predict, ['a', '--output', 'x']); " \
           "sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
    command = [sys.executable, "-m", "tfrespam.predict", "missing.png", "--output", str(tmp_path)]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert answer.returncode == 2 and answer.stderr == "error: no such file, folder or match: missing.png\n"


def breast(height: int, width: int) -> np.ndarray:
    """A film of 16 bits: tissue at the left edge, a dark background, a label."""
    film = np.full((height, width), 300, np.uint16)
    tissue = blob(height // 2, width // 2) // 2 + 20000
    film[height // 4 : height // 4 + len(tissue), : tissue.shape[1]] = tissue
    film[5:25, width - 40 : width - 10] = 65535
    return film


def test_whole_films_are_scanned_and_crops_are_not(exported, tmp_path, capsys):
    write(tmp_path / "film.png", breast(600, 400))
    write(tmp_path / "crop.png", blob(600, 400))
    predict(str(tmp_path), output=str(tmp_path / "auto"), model=str(exported))
    assert {name: row["region"] for name, row in table(tmp_path / "auto").items()} == {
        "film": "film", "crop": "picture"}  # fmt: skip
    assert "2 pictures segmented" in (said := capsys.readouterr().out) and "1 of them scanned as whole films" in said
    found = read(tmp_path / "auto" / "film_probability.png")
    assert found.shape == (600, 400) and found[:100].max() == 0 and found[:, 230:].max() == 0 and found.max() > 0
    (expected,) = saved_model.load(exported).predict_film([(tmp_path / "film.png").read_bytes()])
    assert (tmp_path / "auto" / "film_mask.png").read_bytes() == expected.mask_png
    predict(str(tmp_path), output=str(tmp_path / "always"), model=str(exported), film="always")
    predict(str(tmp_path), output=str(tmp_path / "never"), model=str(exported), film="never")
    assert {row["region"] for row in table(tmp_path / "always").values()} == {"film"}
    assert {row["region"] for row in table(tmp_path / "never").values()} == {"picture"}
    assert read(tmp_path / "never" / "film_probability.png")[:100].max() > 0


def test_a_model_of_whole_films_takes_every_picture_for_one(exported, tmp_path):
    shutil.copytree(exported, tmp_path / "model")
    (tmp_path / "model" / "1" / "metadata.json").write_text('{"data": {"view": "film"}}')
    write(tmp_path / "a.png", blob(60, 40))
    predict(str(tmp_path / "a.png"), output=str(tmp_path / "out"), model=str(tmp_path / "model"))
    assert table(tmp_path / "out")["a"]["region"] == "film"
    with pytest.raises(UserError, match="--box needs a model that was trained on crops"):
        predict(str(tmp_path / "a.png"), output=str(tmp_path / "o"), model=str(tmp_path / "model"), box=(1, 1, 9, 9))


def test_a_box_is_cut_as_in_training_and_put_back(exported, tmp_path):
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


def test_a_box_belongs_to_one_picture_and_lies_in_it(exported, tmp_path):
    for name in "ab":
        write(tmp_path / f"{name}.png", blob(30, 30))
    with pytest.raises(UserError, match="--box belongs to one picture. Received: 2 pictures"):
        predict(str(tmp_path), output=str(tmp_path / "out"), model=str(exported), box=(0, 0, 9, 9))
    with pytest.raises(UserError, match="1 of 1 files could not be segmented"):
        predict(str(tmp_path / "a.png"), output=str(tmp_path / "out"), model=str(exported), box=(0, 0, 9, 31))
    assert "inside the picture of 30 x 30 pixels" in table(tmp_path / "out")["a"]["status"]


def test_a_box_is_four_words_on_the_command_line():
    for words in (["--box", "1", "2", "3", "4"], ["--box", "[1,2,3,4]"], ["--box=[1,2,3,4]"]):
        inputs, options = cli.parse(predict, ["--output", "out", *words, "film.dcm", "--film", "never"])
        assert inputs == ["film.dcm"] and options["box"] == (1, 2, 3, 4) and options["film"] == "never"
    with pytest.raises(UserError, match="Expected a tuple with 4 elements"):
        cli.parse(predict, ["--output", "out", "film.dcm", "--box", "1", "2", "3"])
