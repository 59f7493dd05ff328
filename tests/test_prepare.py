import csv
import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import cbis_tree
import cv2
import numpy as np
import pytest
from cbis_tree import Entry
from PIL import Image

from tfrespam import cli, prepare
from tfrespam.data import breast, cbis_ddsm, crop, pipeline
from tfrespam.data.examples import CropPolicy, film_examples
from tfrespam.data.prepared import Prepared, all_under, config_name, find
from tfrespam.errors import UserError

SIZE = 32


def make(source, home, *, name=None, view="roi", context=1.6, size=SIZE):
    return Prepared(prepare.prepare_source(source, home, name, view, context, size, workers=1))


def ledger_of(prepared):
    with open(prepared.path / "ledger.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["lesion_id", "film_file", "mask_file", "action", "detail"]
    assert len({row["lesion_id"] for row in rows}) == len(rows)
    return {row["lesion_id"]: row for row in rows}


def decoded(png, kind=cv2.IMREAD_UNCHANGED):
    return cv2.imdecode(np.frombuffer(png, np.uint8), kind)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Three patients on the training list, one with two masses on a film, one on the test list; one mask is missing."""
    root = tmp_path_factory.mktemp("cbis")
    second = Entry("P_00001", number=2, fields={"mass shape": "ROUND"})
    second.mask = np.roll(second.mask, 5, axis=1)
    lost = Entry("P_00004")
    cbis_tree.write(root, [Entry("P_00001"), second, Entry("P_00002"), Entry("P_00003", split="Test"), lost])
    _, _, (mask, _) = lost.places()
    next(root.rglob(mask)).unlink()
    return root


@pytest.fixture(scope="module")
def made(source, tmp_path_factory):
    return make(source, tmp_path_factory.mktemp("home"))


def test_everything_is_written_and_nothing_else(made):
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


def test_a_neighbour_inside_the_crop_is_mass_as_well(source, made):
    table = made.table
    films = {film.film_id: cbis_ddsm.read(film) for film in cbis_ddsm.scan(source).films}
    lesion, own = films["P_00001_LEFT_CC"].masks[0]
    alone = crop.resize_mask(crop.cut(own.view(np.uint8), crop.roi_box(own, lesion.lesion_id, 1.6)), SIZE).sum()
    assert table["mass_pixels"][table["lesion_id"] == lesion.lesion_id][0] > alone + 20


def test_a_second_run_does_nothing_and_says_so(source, made, capsys):
    before = {path: path.stat().st_mtime_ns for path in made.path.rglob("*")}
    again = make(source, made.path.parent.parent)
    assert again.path == made.path and "already prepared from this source, nothing to do" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in made.path.rglob("*")} == before


@pytest.fixture
def folder(tmp_path):
    """Plain pictures and masks, the second with a smaller mass."""
    for number in range(3):
        mask = np.zeros((60, 40), np.uint8)
        mask[20 : 40 - 5 * number, 10:30] = 255
        for place, picture in (("images", mask // 3 + 40), ("masks", mask)):
            (tmp_path / "set" / place).mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(tmp_path / "set" / place / f"p{number}.png")
    return tmp_path / "set"


def test_a_changed_source_is_read_again(folder, tmp_path, capsys):
    home = tmp_path / "home"
    first = make(folder, home).table
    assert "it is replaced" not in capsys.readouterr().out
    Image.fromarray(np.full((60, 40), 255, np.uint8)).save(folder / "masks" / "p1.png")
    second = Prepared(make(folder, home).path).table
    assert "or by other rules; it is replaced when all is read" in " ".join(capsys.readouterr().out.split())
    changed = {name for name, before, after in zip(second["lesion_id"], first["mass_pixels"], second["mass_pixels"],
                                                   strict=True) if before != after}  # fmt: skip
    assert changed == {"p1"} and second["lesion_id"].tolist() == first["lesion_id"].tolist()
    (folder / "images" / "p2.png").unlink()
    third = make(folder, home)
    assert sorted(third.table["lesion_id"]) == ["p0", "p1"]
    assert os.listdir(third.path.parent) == [third.path.name]


def test_a_mask_behind_a_link_is_seen_to_change(folder, tmp_path):
    elsewhere = shutil.move(folder / "masks", tmp_path / "other disk")
    (folder / "masks").symlink_to(elsewhere)
    before = make(folder, tmp_path / "home").table["mass_pixels"].tolist()
    Image.fromarray(np.full((60, 40), 255, np.uint8)).save(Path(elsewhere) / "p1.png")
    assert Prepared(make(folder, tmp_path / "home").path).table["mass_pixels"].tolist() != before


def test_films_of_a_user_are_not_called_phantom(folder, tmp_path):
    """`train` would make phantom films in their place."""
    phantom = shutil.move(folder, tmp_path / "Phantom")
    with pytest.raises(UserError, match="'phantom' is kept for generated films.*--name"):
        prepare.prepare_source(Path(phantom), tmp_path / "home", None, "roi", 1.6, SIZE, workers=1)


def test_what_a_killed_process_left_is_no_data_set(made):
    home = made.path.parent.parent
    left = made.path.with_name(".roi-1.6-32.replaced-x")
    shutil.copytree(made.path, left)
    assert [each.path for each in all_under(home)] == [made.path]
    shutil.rmtree(left)


def test_an_interrupted_preparation_keeps_the_old_one(folder, tmp_path, monkeypatch):
    home = tmp_path / "home"
    first = make(folder, home)
    Image.fromarray(np.full((60, 40), 255, np.uint8)).save(folder / "masks" / "p1.png")
    with monkeypatch.context() as patch:
        patch.setattr(prepare, "_finish", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            make(folder, home)
    assert Prepared(first.path).table["mass_pixels"].tolist() == first.table["mass_pixels"].tolist()
    assert os.listdir(first.path.parent) == [first.path.name]


def test_each_way_of_preparing_has_its_own_folder(folder, tmp_path):
    home = tmp_path / "home"
    close, wide = make(folder, home, context=1.2), make(folder, home, context=2)
    film = make(folder, home, view="film", size=64)
    assert [each.path.name for each in (close, wide, film)] == ["roi-1.2-32", "roi-2-32", "film-64"]
    assert close.facts["median_coverage"] > wide.facts["median_coverage"]
    assert config_name("roi", 1.6, 224, 13) == "roi-1.6-224-x13"
    assert {each.path for each in all_under(home)} == {close.path, wide.path, film.path}
    assert all_under(film.path)[0].path == film.path


def test_films_keep_their_aspect_and_all_their_masses(source, tmp_path):
    made = make(source, tmp_path, view="film")
    assert sorted(made.table["lesion_id"]) == ["P_00001_LEFT_CC", "P_00002_LEFT_CC", "P_00003_LEFT_CC"]
    assert {row["action"] for row in ledger_of(made).values()} == {"united", "used", "skipped_missing"}
    assert ledger_of(made)["P_00001_LEFT_CC_2"]["action"] == "united"
    row = next(row for row in pipeline.encoded(made, np.ones(3, bool)).as_numpy_iterator()
               if row["lesion_id"] == b"P_00001_LEFT_CC")  # fmt: skip
    y0, x0, y1, x1 = row["crop"]
    assert y1 - y0 == x1 - x0
    film = next(cbis_ddsm.read(film) for film in cbis_ddsm.scan(source).films if film.film_id == "P_00001_LEFT_CC")
    cells = breast.region(film.image)
    assert (y0, x0, y1, x1) == crop.square_around(breast.box(cells, film.image.shape))
    every = np.logical_or.reduce([mask for _, mask in film.masks])
    share = decoded(row["mask"]).mean() * (y1 - y0) ** 2
    assert share == pytest.approx(every.sum(), rel=0.1)


def test_films_of_the_phantom_hold_every_mass(download):
    film = cbis_ddsm.scan(download).films[0]
    examples, rows = film_examples("tfrespam.data.cbis_ddsm", film, CropPolicy("film", 1.0, 96))
    pixels = cbis_ddsm.read(film)
    assert len(examples) == 1 and len(rows) == len(film.lesions)
    y0, x0, y1, x1 = examples[0]["crop"]
    every = np.logical_or.reduce([mask for _, mask in pixels.masks])
    assert examples[0]["mass_pixels"] / 96**2 == pytest.approx(every.sum() / (y1 - y0) / (x1 - x0), rel=0.1)
    assert decoded(examples[0]["image"]).dtype == np.uint16


def test_only_the_test_list_is_a_data_set_as_well(tmp_path):
    cbis_tree.write(tmp_path / "in", [Entry(f"P_{number:05}", split="Test") for number in range(3)], lists=("test",))
    made = make(tmp_path / "in", tmp_path / "home")
    assert set(made.table["split"]) == {"test"} and len(made.table["split"]) == 3


def test_a_test_list_that_was_not_downloaded_is_absent(tmp_path):
    entries = [Entry("P_00001"), Entry("P_00002", split="Test"), Entry("P_00003", split="Test")]
    cbis_tree.write(tmp_path / "in", entries)
    for entry in entries[1:]:
        for path, _ in entry.places():
            next((tmp_path / "in").rglob(path)).unlink()
    made = make(tmp_path / "in", tmp_path / "home")
    assert made.facts["actions"] == {"used": 1, "absent": 2} and len(made.table["split"]) == 1


def test_a_source_without_a_usable_lesion_leaves_nothing(tmp_path):
    entry = Entry("P_00001")
    entry.mask = np.zeros_like(entry.mask)
    cbis_tree.write(tmp_path / "in", [entry])
    with pytest.raises(UserError, match="no example could be made from this source.*1 x skipped_empty"):
        make(tmp_path / "in", tmp_path / "home")
    assert not list((tmp_path / "home").rglob("*.*"))


def test_masses_that_vanish_are_told(tmp_path, capsys):
    """A mass of one pixel on a film that is stored much smaller: of all pictures, and of some."""
    for kind in ("images", "masks"):
        (tmp_path / "source" / kind).mkdir(parents=True)
    for number in range(6):
        picture, mask = np.full((256, 256), 90, np.uint8), np.zeros((256, 256), np.uint8)
        picture[::3], mask[100, 100] = 200, 255
        cv2.imwrite(str(tmp_path / "source" / "images" / f"{number}.png"), picture)
        cv2.imwrite(str(tmp_path / "source" / "masks" / f"{number}.png"), mask)
    with pytest.raises(UserError, match="all masses vanish at 32 pixels"):
        prepare.prepare_source(tmp_path / "source", tmp_path, "small", "film", 1.6, 32, workers=1)
    assert not list((tmp_path / "small").iterdir())
    cv2.imwrite(str(tmp_path / "source" / "masks" / "0.png"), np.full((256, 256), 255, np.uint8))
    prepare.prepare_source(tmp_path / "source", tmp_path, "small", "film", 1.6, 32, workers=1)
    assert "5 pictures hold no pixel of their mass" in capsys.readouterr().out


def test_a_test_list_without_a_usable_lesion_is_no_error(tmp_path):
    broken = Entry("P_00002", split="Test")
    broken.mask = np.zeros_like(broken.mask)
    cbis_tree.write(tmp_path / "in", [Entry("P_00001"), broken])
    made = make(tmp_path / "in", tmp_path / "home")
    assert made.table["lesion_id"].tolist() == ["P_00001_LEFT_CC_1"]
    assert {lesion: row["action"] for lesion, row in ledger_of(made).items()} == {
        "P_00001_LEFT_CC_1": "used", "P_00002_LEFT_CC_1": "skipped_empty"}


def test_copies_need_a_training_list(tmp_path):
    cbis_tree.write(tmp_path / "in", [Entry("P_00001", split="Test")])
    with pytest.raises(UserError, match="copies the lesions of the training list; .* holds none"):
        prepare.prepare_copies(make(tmp_path / "in", tmp_path / "home"))


def test_a_reader_that_is_killed_is_no_riddle(folder, tmp_path, monkeypatch):
    def broken(*_, **__):
        raise BrokenProcessPool

    monkeypatch.setattr("concurrent.futures.ProcessPoolExecutor.map", broken)
    with pytest.raises(UserError, match="ended from outside.*--workers 1"):
        make(folder, tmp_path / "home")
    assert not list((tmp_path / "home").rglob("*.*"))


def test_what_is_not_prepared_names_the_command_that_makes_it(made):
    from tfrespam.config import DataConfig

    home = made.path.parent.parent
    wanted = DataConfig(dataset="cbis_ddsm_mass", context=1.2, image_size=64)
    with pytest.raises(UserError) as error:
        find(home, wanted)
    assert "'cbis_ddsm_mass' is not prepared as roi-1.2-64" in str(error.value)
    assert "Found there: cbis_ddsm_mass/roi-1.6-32." in str(error.value)
    assert f"tfrespam.prepare --source DIR --data_dir {home} --name cbis_ddsm_mass" in str(error.value)
    with pytest.raises(UserError, match="Found there: nothing.* --data_dir '.*/no where' .* paper makes the copies$"):
        find(home / "no where", dataclasses.replace(wanted, protocol="paper"))
    assert find(home, DataConfig(dataset="cbis_ddsm_mass", image_size=32)).path == made.path


@pytest.mark.parametrize(("options", "expected"), [
    (["--source", "{tmp}/nowhere"], "--source must be a folder that exists. Received: {tmp}/nowhere"),
    (["--source", "{tmp}/empty"], "{tmp}/empty is no data set that this software reads"),
    (["--source", "{tmp}/file"], "--source must be a folder that exists. Received: {tmp}/file"),
    (["--source", "{tmp}/empty", "--context", "0.9"],
     "--context must be at least 1 (the lesion's own box). Received: 0.9"),
    (["--source", "{tmp}/empty", "--context", "nan"], 'option "context"'),
    (["--source", "{tmp}/empty", "--image_size", "16"], "--image_size must be at least 32 pixels. Received: 16"),
    (["--source", "{tmp}/empty", "--workers", "0"], "--workers must be 1 or more. Received: 0"),
    (["--source", "{tmp}/empty", "--view", "half"], "half"),
    (["--source", "{tmp}/empty", "--contxt", "1.5"], "contxt"),
    (["--source", "{tmp}/empty", "--image_size", "big"], "image_size"),
    ([], "source"),
])  # fmt: skip
def test_errors_are_messages_with_status_2(tmp_path, capsys, options, expected):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit) as stop:
        cli.run(prepare.prepare, [option.format(tmp=tmp_path) for option in options])
    out, err = capsys.readouterr()
    assert stop.value.code == 2 and "Traceback" not in err and out == ""
    assert expected.format(tmp=tmp_path) in err


def test_an_error_of_the_command_has_no_traceback(tmp_path):
    command = [sys.executable, "-m", "tfrespam.prepare", "--source", str(tmp_path / "nowhere")]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert result.returncode == 2 and result.stdout == ""
    assert result.stderr.splitlines() == [f"error: --source must be a folder that exists. Received: {tmp_path}/nowhere"]


def interrupted(command, home, patience):
    """The process after Ctrl-C, `patience` seconds after TFDS began to write, and what it wrote to stderr."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen(command, start_new_session=True, **pipes)
    while process.poll() is None and not list(home.rglob("incomplete.*")):
        time.sleep(0.05)
    time.sleep(patience)
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGINT)
    return process, process.communicate(timeout=120)[1]


@pytest.mark.slow
def test_ctrl_c_ends_it_quietly(download, tmp_path):
    command = [sys.executable, "-m", "tfrespam.prepare", "--source", str(download), "--data_dir", str(tmp_path),
               "--image_size", "32"]  # fmt: skip
    for patience in (1, 0.6, 0.3):  # a quick machine may be done before it is interrupted
        process, err = interrupted(command, tmp_path, patience)
        if process.returncode:
            break
        shutil.rmtree(tmp_path / "phantom")
    assert process.returncode == 130 and "interrupted: what was finished is kept" in err
    assert "Traceback" not in err
    assert not list(tmp_path.rglob("*.tfrecord*")) and not list(tmp_path.rglob("*partial*"))
