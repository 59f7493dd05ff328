"""The readers on the real films: TFRESPAM_REAL_DATA names the folder; tools/ beside it writes the download layouts."""

import csv
import os
from multiprocessing import get_context

import numpy as np
import pytest
from real_tree import make_tree

from tfrespam.data.readers import cbis_ddsm
from tfrespam.data.readers.records import Action

REAL = os.environ.get("TFRESPAM_REAL_DATA")
pytestmark = [pytest.mark.real, pytest.mark.skipif(not REAL, reason="TFRESPAM_REAL_DATA is not set")]

LAYOUTS = ("tcia", "nbia", "kaggle")
EXPECTED = {
    "swapped_crop_and_mask": Action.REPAIRED_SWAP,
    "mask_few_pixels_smaller": Action.REPAIRED_SIZE,
    "mask_other_scale": Action.REPAIRED_SIZE,
    "mask_missing": Action.SKIPPED_MISSING,
    "film_truncated": Action.SKIPPED_UNREADABLE,
    "mask_empty": Action.SKIPPED_EMPTY,
    "film_monochrome1": Action.INVERTED,
}


@pytest.fixture(scope="module")
def trees(tmp_path_factory):
    """Trees of the first 40 films: one of each layout with inserted defects, and one without."""
    out = tmp_path_factory.mktemp("trees")
    made = {layout: make_tree(out / layout, "--limit", "40", "--layout", layout, "--defects") for layout in LAYOUTS}
    return made | {"clean": make_tree(out / "clean", "--limit", "40")}


def read_films(root):
    return {film.film_id: cbis_ddsm.read(film) for film in cbis_ddsm.scan(root).films}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_planted_defect_is_in_the_ledger(trees, layout):
    with open(trees[layout] / "planted_defects.csv", newline="") as file:
        planted = {row["film"]: EXPECTED[row["defect"]] for row in csv.DictReader(file)}
    films = read_films(trees[layout])
    assert set(planted.values()) == set(EXPECTED.values()) and len(films) == 40
    for name, pixels in films.items():
        for row in pixels.ledger:
            assert row.action is planted.get(name, Action.USED), row


@pytest.mark.parametrize("layout", LAYOUTS)
def test_repaired_films_are_those_without_a_defect(trees, layout):
    clean, mended = read_films(trees["clean"]), read_films(trees[layout])
    for name, pixels in mended.items():
        if pixels.image is None:
            continue
        difference = np.abs(pixels.image.astype(np.int32) - clean[name].image) / 257
        assert difference.mean() < 1.5 if layout == "kaggle" else (difference == 0).all(), name
        for row, (_, mask), (_, true) in zip(pixels.ledger, pixels.masks, clean[name].masks, strict=True):
            dice = 2 * (mask & true).sum() / (mask.sum() + true.sum())
            assert dice >= (0.85 if row.action is Action.REPAIRED_SIZE else 1), row


def read_outcome(film):
    pixels = cbis_ddsm.read(film)
    small = None if pixels.image is None else pixels.image[::16, ::16].copy()
    return [row.action for row in pixels.ledger], [np.packbits(mask).tobytes() for _, mask in pixels.masks], small


@pytest.mark.slow
def test_whole_training_set_is_the_same_in_every_layout(whole_tree):
    outcomes = {}
    for layout in LAYOUTS:
        inventory = cbis_ddsm.scan(whole_tree(layout))
        assert inventory.layout == layout and not inventory.ledger
        with get_context("spawn").Pool() as pool:
            outcomes[layout] = pool.map(read_outcome, inventory.films, chunksize=8)
        actions = [action for made, _, _ in outcomes[layout] for action in made]
        assert len(actions) == 1318 and sum(action.kept for action in actions) >= 1290
    losses = []
    for true, nbia, kaggle in zip(*outcomes.values(), strict=True):
        assert true[:2] == nbia[:2] == kaggle[:2]
        np.testing.assert_array_equal(true[2], nbia[2])
        losses.append(np.abs(true[2].astype(np.int32) - kaggle[2]).mean() / 257)
    # grey levels of 255; where JPEG changes a film's one brightest pixel, the whole film is stretched otherwise
    assert np.median(losses) < 0.75 and max(losses) < 3, (np.median(losses), max(losses))
