"""The files of a prepared data set."""

import os
import shutil
from collections import Counter
from concurrent.futures.process import BrokenProcessPool

import cbis_tree
import cv2
import numpy as np
import pytest
from cbis_tree import Entry
from PIL import Image
from prepared_trees import SIZE, decoded, ledger_of, make

from tfrespam.core.errors import UserError
from tfrespam.data.geometry import crop
from tfrespam.data.loading import pipeline
from tfrespam.data.loading.prepared import Prepared, all_under
from tfrespam.data.readers import cbis_ddsm
from tfrespam.workflows import preparation, prepared_folder


def test_the_folder_contains_exactly_the_documented_files(made):
    assert sorted(os.listdir(made.path)) == ["1.0.0", "dataset.json", "index.csv", "ledger.csv"]
    assert made.path.name == "roi-1.6-32" and made.path.parent.name == made.name == "cbis_ddsm_mass"
    assert os.listdir(made.path.parent) == [made.path.name]
    facts = made.facts
    assert (facts["layout"], facts["view"], facts["context"], facts["image_size"]) == ("tcia", "roi", 1.6, 32)
    assert facts["examples"] == 4 and facts["patients"] == 3 and facts["versions"]["tensorflow"]
    coverage = made.table["mass_pixels"] / SIZE**2
    assert facts["median_coverage"] == pytest.approx(np.median(coverage)) and 0.1 < facts["median_coverage"] < 0.6


def test_ledger_has_a_row_for_each_lesion_of_the_list(made):
    ledger = ledger_of(made)
    actions = {lesion: row["action"] for lesion, row in ledger.items()}
    assert actions == {"P_00001_LEFT_CC_1": "united", "P_00001_LEFT_CC_2": "united", "P_00002_LEFT_CC_1": "used",
                       "P_00003_LEFT_CC_1": "used", "P_00004_LEFT_CC_1": "skipped_missing"}  # fmt: skip
    assert made.facts["actions"] == dict(Counter(actions.values()))
    assert sum(row["action"] in ("used", "united") for row in ledger.values()) == made.facts["examples"]


def test_index_matches_the_shards(made):
    table, everything = made.table, np.ones(4, bool)
    stored = list(pipeline.encoded(made, everything).as_numpy_iterator())
    for name in ("lesion_id", "film_id", "patient_id", "split", "laterality", "view", "pathology", "shape", "source"):
        assert [row[name].decode() for row in stored] == table[name].tolist()
    for name in ("assessment", "subtlety", "breast_density", "copy", "fold"):
        assert [row[name] for row in stored] == table[name].tolist()
    assert [int(decoded(row["mask"]).sum()) for row in stored] == table["mass_pixels"].tolist()
    assert [" ".join(map(str, row["crop"])) for row in stored] == table["crop"].tolist()
    assert Counter(table["split"].tolist()) == {"train": 3, "test": 1} and set(table["copy"]) == {0}
    fold = dict(zip(table["patient_id"], table["fold"], strict=True))
    assert all(fold[patient] == number for patient, number in zip(table["patient_id"], table["fold"], strict=True))


def test_examples_are_the_crops_of_their_films(source, made):
    stored = {row["lesion_id"].decode(): row for row in pipeline.encoded(made, np.ones(4, bool)).as_numpy_iterator()}
    films = {film.film_id: cbis_ddsm.read(film) for film in cbis_ddsm.scan(source).films}
    for film in films.values():
        every = np.logical_or.reduce([mask for _, mask in film.masks])
        for lesion, mask in film.masks:
            row = stored[lesion.lesion_id]
            box = crop.roi_box(mask, lesion.lesion_id, 1.6)
            np.testing.assert_array_equal(row["crop"], box)
            np.testing.assert_array_equal(decoded(row["image"]), crop.resize_image(crop.cut(film.image, box), SIZE))
            expected = crop.resize_mask(crop.cut(every.view(np.uint8), box), SIZE)
            np.testing.assert_array_equal(decoded(row["mask"]), expected)


def test_a_second_mass_inside_the_crop_belongs_to_the_mask(source, made):
    table = made.table
    films = {film.film_id: cbis_ddsm.read(film) for film in cbis_ddsm.scan(source).films}
    lesion, own = films["P_00001_LEFT_CC"].masks[0]
    alone = crop.resize_mask(crop.cut(own.view(np.uint8), crop.roi_box(own, lesion.lesion_id, 1.6)), SIZE).sum()
    assert table["mass_pixels"][table["lesion_id"] == lesion.lesion_id][0] > alone + 20


def test_files_of_a_killed_process_are_not_a_data_set(made):
    home = made.path.parent.parent
    left = made.path.with_name(".roi-1.6-32.replaced-x")
    shutil.copytree(made.path, left)
    assert [each.path for each in all_under(home)] == [made.path]
    shutil.rmtree(left)


def test_an_interrupted_preparation_keeps_the_old_one(folder, tmp_path, monkeypatch):
    home = tmp_path / "home"
    first = make(folder, home)
    mask = np.zeros((60, 40), np.uint8)
    mask[20:50, 10:30] = 255
    Image.fromarray(mask).save(folder / "masks" / "p1.png")
    with monkeypatch.context() as patch:
        patch.setattr(prepared_folder, "_finish", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            make(folder, home)
    assert Prepared(first.path).table["mass_pixels"].tolist() == first.table["mass_pixels"].tolist()
    assert os.listdir(first.path.parent) == [first.path.name]


def test_a_source_without_a_usable_lesion_is_rejected_and_leaves_no_files(tmp_path):
    entry = Entry("P_00001")
    entry.mask = np.zeros_like(entry.mask)
    cbis_tree.write(tmp_path / "in", [entry])
    with pytest.raises(UserError, match="no example could be made from this source.*1 x skipped_empty"):
        make(tmp_path / "in", tmp_path / "home")
    assert not list((tmp_path / "home").rglob("*.*"))


def test_masses_that_vanish_at_the_image_size_are_reported(tmp_path, capsys):
    """Masses of one pixel on films that are stored much smaller: on all images, and on some."""
    for kind in ("images", "masks"):
        (tmp_path / "source" / kind).mkdir(parents=True)
    for number in range(6):
        picture, mask = np.full((256, 256), 90, np.uint8), np.zeros((256, 256), np.uint8)
        picture[::3], mask[99, 99] = 200, 255
        cv2.imwrite(str(tmp_path / "source" / "images" / f"{number}.png"), picture)
        cv2.imwrite(str(tmp_path / "source" / "masks" / f"{number}.png"), mask)
    with pytest.raises(UserError, match="all masses vanish at 32 pixels"):
        preparation.prepare_source(tmp_path / "source", tmp_path, "small", "film", 1.6, 32, workers=1)
    assert not list((tmp_path / "small").iterdir())
    cv2.imwrite(str(tmp_path / "source" / "masks" / "0.png"), np.pad(np.full((80, 80), 255, np.uint8), 88))
    preparation.prepare_source(tmp_path / "source", tmp_path, "small", "film", 1.6, 32, workers=1)
    assert "5 images contain no pixel of their mass" in capsys.readouterr().out


def test_a_test_list_without_a_usable_lesion_is_allowed(tmp_path):
    broken = Entry("P_00002", split="Test")
    broken.mask = np.zeros_like(broken.mask)
    cbis_tree.write(tmp_path / "in", [Entry("P_00001"), broken])
    made = make(tmp_path / "in", tmp_path / "home")
    assert made.table["lesion_id"].tolist() == ["P_00001_LEFT_CC_1"]
    assert {lesion: row["action"] for lesion, row in ledger_of(made).items()} == {
        "P_00001_LEFT_CC_1": "used", "P_00002_LEFT_CC_1": "skipped_empty"}


def test_a_killed_reader_process_gives_an_error_with_advice(folder, tmp_path, monkeypatch):
    def broken(*_, **__):
        raise BrokenProcessPool

    monkeypatch.setattr("concurrent.futures.ProcessPoolExecutor.map", broken)
    with pytest.raises(UserError, match="was killed.*`workers` 1"):
        make(folder, tmp_path / "home")
    assert not list((tmp_path / "home").rglob("*.*"))
