import dataclasses
import sys
import types

import cv2
import numpy as np
import pytest

from tfrespam.data.preparing.film_examples import CropPolicy, film_examples
from tfrespam.data.readers.records import Action, Film, FilmPixels, LedgerRow, Lesion

LESIONS = tuple(Lesion(f"f_{number}", "f", "p", "train", "s") for number in (1, 2))
FILM = Film("f", LESIONS, None)


@pytest.fixture
def source(monkeypatch):
    """A source module that gives one film of 200 x 160 pixels with a square mass for each lesion."""
    image = np.zeros((200, 160), np.uint16)
    image[20:180, :120] = np.random.default_rng(0).integers(20000, 40000, (160, 120))
    masks = np.zeros((2, 200, 160), bool)
    masks[0, 60:80, 40:60], masks[1, 70:90, 50:70] = True, True
    ledger = tuple(LedgerRow(lesion.lesion_id, "f.png", "m.png", Action.USED) for lesion in LESIONS)
    made = types.ModuleType("two_masses")
    made.pixels = FilmPixels(image, tuple(zip(LESIONS, masks, strict=True)), ledger, 0.1)
    made.read = lambda film: made.pixels
    monkeypatch.setitem(sys.modules, "two_masses", made)
    return made


def decoded(example, name):
    return cv2.imdecode(np.frombuffer(example[name], np.uint8), cv2.IMREAD_UNCHANGED)


def test_each_lesion_has_a_crop_with_all_masses_inside(source):
    examples, ledger = film_examples("two_masses", FILM, CropPolicy("roi", 2.0, 40))
    assert [example["lesion_id"] for example in examples] == ["f_1", "f_2"]
    first = examples[0]
    y0, x0, y1, x1 = first["crop"]
    assert (y1 - y0, x1 - x0) == (40, 40)  # twice the mass, which lies somewhere inside
    assert decoded(first, "image").shape == decoded(first, "mask").shape == (40, 40)
    expected = np.logical_or.reduce([mask for _, mask in source.pixels.masks])[y0:y1, x0:x1]
    np.testing.assert_array_equal(decoded(first, "mask") > 0, expected)
    assert first["mass_pixels"] == expected.sum() > 400 and first["pixel_spacing_mm"] == np.float32(0.1)
    assert [row.action for row in ledger] == [Action.UNITED, Action.UNITED]


def test_whole_film_is_one_example(source):
    examples, ledger = film_examples("two_masses", FILM, CropPolicy("film", 1.0, 64))
    (example,) = examples
    assert example["lesion_id"] == "f" and decoded(example, "image").shape == (64, 64)
    assert 0 < example["mass_pixels"] < 700 and {row.action for row in ledger} == {Action.UNITED}


def test_a_film_has_the_facts_in_which_its_lesions_agree(source):
    """A film with a benign and a malignant mass is neither: scores by group must not count both as one of them."""
    facts = [{"pathology": kind, "subtlety": 3, "view": "CC"} for kind in ("BENIGN", "MALIGNANT")]
    lesions = [dataclasses.replace(lesion, **known) for lesion, known in zip(LESIONS, facts, strict=True)]
    masks = [mask for _, mask in source.pixels.masks]
    source.pixels = dataclasses.replace(source.pixels, masks=tuple(zip(lesions, masks, strict=True)))
    (example,), _ = film_examples("two_masses", FILM, CropPolicy("film", 1.0, 64))
    assert {name: example[name] for name in facts[0]} == {"pathology": "", "subtlety": 3, "view": "CC"}
    assert (example["patient_id"], example["assessment"]) == ("p", -1)


def test_film_without_masks_has_no_example(source):
    source.pixels = dataclasses.replace(source.pixels, image=None, masks=())
    examples, ledger = film_examples("two_masses", FILM, CropPolicy("roi", 2.0, 40))
    assert not examples and len(ledger) == 2
