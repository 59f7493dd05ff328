"""experiments/any_crop.py: a network on crops of several kinds."""

import csv
import importlib.util
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from tfrespam.core.errors import UserError
from tfrespam.data.geometry import crop
from tfrespam.data.readers import cbis_ddsm

FILE = Path(__file__).parents[1] / "experiments" / "any_crop.py"
SPEC = importlib.util.spec_from_file_location("any_crop", FILE)
any_crop = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(any_crop)


@pytest.fixture(scope="module")
def film():
    return np.random.default_rng(0).integers(0, 40000, (60, 50), dtype=np.uint16)


def test_a_crop_is_located_in_its_film_at_any_grey_scale(film):
    piece = film[20:35, 7:31]
    assert any_crop.place(piece, film) == (20, 7, 35, 31)
    assert any_crop.place(piece // 2 + 900, film) == (20, 7, 35, 31)


def test_an_image_that_is_not_from_the_film_has_no_location(film):
    other = np.random.default_rng(1).integers(0, 40000, (15, 24), dtype=np.uint16)
    for piece in (other, np.full((9, 9), 7, np.uint16), np.tile(film, (2, 1)), np.tile(film, (1, 2))):
        assert any_crop.place(piece, film) is None


def test_each_kind_of_crop_contains_its_part_of_the_reference(download):
    seen = set()
    for film in cbis_ddsm.scan(download).films:
        pixels = cbis_ddsm.read(film)
        every = np.logical_or.reduce([mask for _, mask in pixels.masks])
        own = {lesion.lesion_id: mask for lesion, mask in pixels.masks}
        for each in any_crop.shown(film, pixels, (1.2, 2.4)):
            seen.add(each.kind)
            y0, x0, y1, x1 = crop.bounding_box(own[each.lesion_id])
            longest = each.longest
            assert longest == max(y1 - y0, x1 - x0)
            assert each.image.shape == each.reference.shape and each.image.dtype == np.uint16
            if each.kind == any_crop.CROP_FILE:
                top, left, bottom, right = any_crop.place(each.image, pixels.image)
                assert top <= y0 and left <= x0 and bottom >= y1 and right >= x1
                np.testing.assert_array_equal(each.reference, every[top:bottom, left:right])
            else:
                assert each.image.shape == (round(float(each.kind.split()[1]) * longest),) * 2
                assert each.reference.sum() >= own[each.lesion_id].sum() * 0.99
    assert seen == {"context 1.2", "context 2.4", any_crop.CROP_FILE}


def rows(model, kind, **dice):
    return [{"model": model, "kind": kind, "lesion_id": f"{name}_1", "patient_id": name, "dice": value,
             "size_told": value + 0.1, "margin_told": value - 0.1}
            for name, value in dice.items()]  # fmt: skip


def test_differences_are_paired_with_the_first_network_on_the_same_lesions():
    found = any_crop.table([*rows("B", "k", x=0.5, y=0.7), *rows("A", "k", x=0.7, y=0.9)])
    assert [(row["model"], row["lesions"], round(row["dice"], 6)) for row in found] == [("A", 2, 0.8), ("B", 2, 0.6)]
    assert found[1]["size_told"] == pytest.approx(0.7) and found[1]["margin_told"] == pytest.approx(0.5)
    assert found[0]["difference"] == pytest.approx(0.2) and found[1]["difference"] == 0
    assert found[0]["difference_low"] == pytest.approx(0.2) == found[0]["difference_high"]


class Bright:
    """A network that segments bright pixels in the middle third of its input, which it keeps."""

    metadata: ClassVar = {"data": {"context": 2.0}}

    def predict_images(self, images):
        self.seen = images[0, ..., 0]
        third = self.seen.shape[0] // 3
        inside = np.zeros(self.seen.shape, bool)
        inside[third : 2 * third, third : 2 * third] = True
        return (inside & (self.seen > 0.5)).astype(np.float32)[None, ..., None]


@pytest.mark.parametrize("shape", [(26, 20), (20, 26), (60, 50), (30, 70)])
def test_crops_are_padded_or_cut_to_the_context_of_the_network(shape):
    """Tighter crops are padded by reflection, wider ones are cut; the mask is returned at its original position."""
    model, image = Bright(), np.full(shape, 0.3, np.float32)
    mass = np.s_[shape[0] // 2 - 6 : shape[0] // 2 + 6, shape[1] // 2 - 6 : shape[1] // 2 + 6]
    image[mass] = 0.9
    found = any_crop.predicted(model, image, max(shape) / 20) > 0.5
    assert model.seen.shape == (40, 40) and set(np.unique(model.seen)) == {np.float32(0.3), np.float32(0.9)}
    np.testing.assert_array_equal(found, image > 0.5)


def test_films_that_a_network_excludes_are_not_judged(prepared):
    """One of them is not in the data set, as `absent_films` allowed in training."""
    table, model = prepared.table, Bright()
    fold = (table["split"] == "train") & (table["fold"] == 1)
    np.testing.assert_array_equal(any_crop.held_out(table, 1, [model]), fold)
    film = str(table["film_id"][fold][0])
    model.metadata = {"data": {"exclude_films": [film, "gone"]}}
    np.testing.assert_array_equal(any_crop.held_out(table, 1, [Bright(), model]), fold & (table["film_id"] != film))


def test_a_trained_network_is_evaluated_on_every_kind_of_crop(trained, download, tmp_path, capsys):
    experiment, _ = trained
    model = str(Path(experiment.models_dir) / "exp")
    any_crop.report(model, source=str(download), data_dir=experiment.data_dir, fold=1, contexts=(1.6,), stated=1.3,
                    output=str(tmp_path / "rows.csv"))  # fmt: skip
    said = capsys.readouterr().out
    with open(tmp_path / "rows.csv", newline="") as file:
        found = list(csv.DictReader(file))
    stated = "crop file, context 1.3 stated"
    assert {row["kind"] for row in found} == {"context 1.6", any_crop.CROP_FILE, stated}
    as_they_are, told = ([row["dice"] for row in found if row["kind"] == kind] for kind in (any_crop.CROP_FILE, stated))
    assert len(as_they_are) == len(told) and as_they_are != told
    assert f"context 1.6 | {model} | " in said and "are of patients that it was trained on" in said
    assert all(0 <= float(row["dice"]) <= 1 for row in found)


def test_report_without_a_model_is_rejected(download):
    with pytest.raises(UserError, match="at least one exported model"):
        any_crop.report(source=str(download))
