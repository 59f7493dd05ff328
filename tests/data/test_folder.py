import pickle

import numpy as np
import pytest
from PIL import Image

from tfrespam.data import folder
from tfrespam.data.records import Action
from tfrespam.errors import UserError

FILM = np.random.default_rng(0).integers(10, 200, (24, 32)).astype(np.uint8)
MASK = np.zeros((24, 32), np.uint8)
MASK[5:12, 8:20] = 255


def put(root, name, picture):
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(root / name)


@pytest.fixture
def root(tmp_path):
    for name in ("b", "a"):
        put(tmp_path / "My Set-2", f"images/{name}.png", FILM)
        put(tmp_path / "My Set-2", f"masks/{name}.png", MASK)
    return tmp_path / "My Set-2"


def read_all(root):
    inventory = folder.scan(root)
    films = [folder.read(pickle.loads(pickle.dumps(film))) for film in inventory.films]
    ledger = {row.lesion_id: row for row in (*inventory.ledger, *(row for film in films for row in film.ledger))}
    return inventory, films, ledger


def test_pairs_are_read(root):
    assert folder.recognise(root) and not folder.recognise(root.parent)
    inventory, films, ledger = read_all(root)
    assert (inventory.name, inventory.layout) == ("my_set_2", "folder")
    assert [film.film_id for film in inventory.films] == ["a", "b"]
    assert {row.action for row in ledger.values()} == {Action.USED}
    assert films[0].image.dtype == np.uint16 and (films[0].image.min(), films[0].image.max()) == (0, 65535)
    np.testing.assert_array_equal(films[0].masks[0][1], MASK > 0)


def test_without_patients_every_picture_is_one_and_the_user_is_told(root):
    inventory = folder.scan(root)
    assert [film.lesions[0].patient_id for film in inventory.films] == ["a", "b"]
    assert "patients.csv" in inventory.notes[0]


def test_patients_and_facts_come_from_the_list(root):
    (root / "patients.csv").write_text(
        "image,patient_id,split,laterality,view,pathology,assessment\na.png,X,test,LEFT,CC,MALIGNANT,4\nb,X,,,,,\n")
    inventory = folder.scan(root)
    a, b = (film.lesions[0] for film in inventory.films)
    assert (a.patient_id, a.split, a.laterality, a.view, a.pathology, a.assessment) == (
        "X", "test", "LEFT", "CC", "MALIGNANT", 4)  # fmt: skip
    assert (b.patient_id, b.split, b.assessment, inventory.notes) == ("X", "train", -1, ())


@pytest.mark.parametrize(("text", "message"), [
    ("image,patient_id\na,X\n", "no patient for 1 pictures.*b"),
    ("image,patient\na,X\nb,X\n", "needs image and patient_id"),
    ("image,patient_id\na,\nb,X\n", "needs image and patient_id"),
    ("image,patient_id\na,X\nb,X\na,Y\n", "two different rows"),
    ("image,patient_id,split\na,X,validation\nb,X,\n", "validation"),
])  # fmt: skip
def test_bad_patients_are_an_error(root, text, message):
    (root / "patients.csv").write_text(text)
    with pytest.raises(UserError, match=message):
        folder.scan(root)


def test_what_has_no_partner_is_in_the_ledger(root):
    put(root, "images/c.png", FILM)
    put(root, "masks/d.png", MASK)
    put(root, "images/a.jpg", FILM)
    _, films, ledger = read_all(root)
    assert {name: row.action for name, row in ledger.items()} == {
        "a": Action.SKIPPED_AMBIGUOUS, "b": Action.USED, "c": Action.SKIPPED_MISSING, "d": Action.SKIPPED_MISSING}
    assert len(films) == 1


def test_damaged_and_odd_masks(root):
    put(root, "masks/a.png", np.zeros_like(MASK))
    (root / "images" / "b.png").write_bytes(b"not a picture")
    put(root, "images/c.png", FILM)
    put(root, "masks/c.png", (MASK // 255) + (np.arange(32) % 3 == 0).astype(np.uint8) * (MASK // 255))
    put(root, "images/d.png", FILM)
    put(root, "masks/d.png", MASK[2:, 3:])
    put(root, "images/e.png", FILM)
    put(root, "masks/e.png", MASK[:6, :8] + 1)
    _, films, ledger = read_all(root)
    assert {name: row.action for name, row in ledger.items()} == {
        "a": Action.SKIPPED_EMPTY, "b": Action.SKIPPED_UNREADABLE, "c": Action.USED, "d": Action.REPAIRED_SIZE,
        "e": Action.SKIPPED_AMBIGUOUS}  # fmt: skip
    assert "more than two greys" in ledger["c"].detail and "22 x 29" in ledger["d"].detail
    np.testing.assert_array_equal(films[2].masks[0][1], MASK > 0)
    assert films[3].masks[0][1].shape == FILM.shape


def test_jpeg_mask_is_cut_at_half(root):
    put(root, "images/j.png", FILM)
    (root / "masks").mkdir(exist_ok=True)
    Image.fromarray(MASK).save(root / "masks" / "j.jpg", quality=60)
    _, films, ledger = read_all(root)
    assert ledger["j"].action is Action.USED
    agreement = films[2].masks[0][1] == (MASK > 0)
    assert agreement.mean() > 0.99


def test_sixteen_bit_pictures_keep_their_depth(root):
    deep = FILM.astype(np.uint16) * 16 + np.arange(32, dtype=np.uint16)
    put(root, "images/a.png", deep)
    _, films, _ = read_all(root)
    assert len(np.unique(films[0].image)) == len(np.unique(deep))


def test_nothing_to_pair_is_an_error(tmp_path):
    put(tmp_path, "images/a.png", FILM)
    put(tmp_path, "masks/b.png", MASK)
    with pytest.raises(UserError, match="same name"):
        folder.scan(tmp_path)


@pytest.mark.parametrize(("name", "expected"), [("2024 films", "set_2024_films"), ("Ärzte", "rzte"), ("--", "set")])
def test_name_is_an_identifier(tmp_path, name, expected):
    put(tmp_path / name, "images/a.png", FILM)
    put(tmp_path / name, "masks/a.png", MASK)
    assert folder.scan(tmp_path / name).name == expected
