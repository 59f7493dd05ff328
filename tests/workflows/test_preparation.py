"""Data sets are prepared once for each source and configuration."""

import dataclasses
import os
import shutil
from pathlib import Path

import cbis_tree
import numpy as np
import pytest
from cbis_tree import Entry
from PIL import Image
from prepared_trees import SIZE, decoded, ledger_of, make

from tfrespam.core.errors import UserError
from tfrespam.data.geometry import breast, crop
from tfrespam.data.loading import pipeline
from tfrespam.data.loading.prepared import Prepared, all_under, config_name, find
from tfrespam.data.preparing.film_examples import CropPolicy, film_examples
from tfrespam.data.readers import cbis_ddsm
from tfrespam.workflows import preparation


def test_a_second_run_does_nothing_and_reports_it(source, made, capsys):
    before = {path: path.stat().st_mtime_ns for path in made.path.rglob("*")}
    again = make(source, made.path.parent.parent)
    assert again.path == made.path and "already prepared from this source, nothing to do" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in made.path.rglob("*")} == before


def test_a_changed_source_is_prepared_again(folder, tmp_path, capsys):
    home = tmp_path / "home"
    first = make(folder, home).table
    assert "it will be replaced" not in capsys.readouterr().out
    mask = np.zeros((60, 40), np.uint8)
    mask[20:50, 10:30] = 255
    Image.fromarray(mask).save(folder / "masks" / "p1.png")
    second = Prepared(make(folder, home).path).table
    assert "or by other rules; it will be replaced" in " ".join(capsys.readouterr().out.split())
    changed = {name for name, before, after in zip(second["lesion_id"], first["mass_pixels"], second["mass_pixels"],
                                                   strict=True) if before != after}  # fmt: skip
    assert changed == {"p1"} and second["lesion_id"].tolist() == first["lesion_id"].tolist()
    (folder / "images" / "p2.png").unlink()
    third = make(folder, home)
    assert sorted(third.table["lesion_id"]) == ["p0", "p1"]
    assert os.listdir(third.path.parent) == [third.path.name]


def test_a_changed_mask_behind_a_symbolic_link_is_noticed(folder, tmp_path):
    elsewhere = shutil.move(folder / "masks", tmp_path / "other disk")
    (folder / "masks").symlink_to(elsewhere)
    before = make(folder, tmp_path / "home").table["mass_pixels"].tolist()
    Image.fromarray(np.full((60, 40), 255, np.uint8)).save(Path(elsewhere) / "p1.png")
    assert Prepared(make(folder, tmp_path / "home").path).table["mass_pixels"].tolist() != before


def test_the_name_phantom_is_reserved(folder, tmp_path):
    """`train` would generate phantom films under this name."""
    phantom = shutil.move(folder, tmp_path / "Phantom")
    with pytest.raises(UserError, match="'phantom' is reserved for generated films.*`name`"):
        preparation.prepare_source(Path(phantom), tmp_path / "home", None, "roi", 1.6, SIZE, workers=1)


def test_each_preparation_has_its_own_folder(folder, tmp_path):
    home = tmp_path / "home"
    close, wide = make(folder, home, context=1.2), make(folder, home, context=2)
    film = make(folder, home, view="film", size=64)
    assert [each.path.name for each in (close, wide, film)] == ["roi-1.2-32", "roi-2-32", "film-64"]
    assert close.facts["median_coverage"] > wide.facts["median_coverage"]
    assert config_name("roi", 1.6, 224, 13) == "roi-1.6-224-x13"
    assert {each.path for each in all_under(home)} == {close.path, wide.path, film.path}
    assert all_under(film.path)[0].path == film.path


def test_films_keep_their_aspect_ratio_and_all_their_masses(source, tmp_path):
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
    assert (y0, x0, y1, x1) == crop.frame_around(breast.box(cells, film.image.shape), 1)
    every = np.logical_or.reduce([mask for _, mask in film.masks])
    share = decoded(row["mask"]).mean() * (y1 - y0) ** 2
    assert share == pytest.approx(every.sum(), rel=0.1)


def test_phantom_films_contain_every_mass(download):
    film = cbis_ddsm.scan(download).films[0]
    examples, rows = film_examples("tfrespam.data.readers.cbis_ddsm", film, CropPolicy("film", 1.0, 96))
    pixels = cbis_ddsm.read(film)
    assert len(examples) == 1 and len(rows) == len(film.lesions)
    y0, x0, y1, x1 = examples[0]["crop"]
    every = np.logical_or.reduce([mask for _, mask in pixels.masks])
    assert examples[0]["mass_pixels"] / 96**2 == pytest.approx(every.sum() / (y1 - y0) / (x1 - x0), rel=0.1)
    assert decoded(examples[0]["image"]).dtype == np.uint16


def test_a_source_with_only_a_test_list_can_be_prepared(tmp_path):
    cbis_tree.write(tmp_path / "in", [Entry(f"P_{number:05}", split="Test") for number in range(3)], lists=("test",))
    made = make(tmp_path / "in", tmp_path / "home")
    assert set(made.table["split"]) == {"test"} and len(made.table["split"]) == 3


def test_lesions_of_a_missing_download_are_recorded_as_absent(tmp_path):
    entries = [Entry("P_00001"), Entry("P_00002", split="Test"), Entry("P_00003", split="Test")]
    cbis_tree.write(tmp_path / "in", entries)
    for entry in entries[1:]:
        for path, _ in entry.places():
            next((tmp_path / "in").rglob(path)).unlink()
    made = make(tmp_path / "in", tmp_path / "home")
    assert made.facts["actions"] == {"used": 1, "absent": 2} and len(made.table["split"]) == 1


def test_copies_need_a_training_list(tmp_path):
    cbis_tree.write(tmp_path / "in", [Entry("P_00001", split="Test")])
    with pytest.raises(UserError, match="copies the lesions of the training list; .* holds none"):
        preparation.prepare_copies(make(tmp_path / "in", tmp_path / "home"))


def test_error_for_missing_data_names_the_prepare_command(made):
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


@pytest.mark.parametrize(("view", "width"), [("roi", 32), ("film", 16)])
def test_image_width_requires_films_and_at_least_32_pixels(tmp_path, view, width):
    with pytest.raises(UserError, match="`image_width` needs `view` film.*Received: .*" + str(width)):
        preparation.prepare_source(tmp_path, tmp_path, None, view, 1.6, 64, image_width=width)


def test_a_separate_width_is_part_of_the_folder_name():
    assert config_name("film", 1.6, 512, image_width=288) == "film-512x288"
    assert config_name("film", 1.6, 512, image_width=512) == config_name("film", 1.6, 512) == "film-512"
