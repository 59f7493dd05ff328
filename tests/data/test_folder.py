import pickle

import dicom_files
import numpy as np
import pytest
from PIL import Image

from tfrespam.core.errors import UserError
from tfrespam.data.readers import folder
from tfrespam.data.readers.records import Action

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


def test_without_patients_each_image_is_a_patient_and_a_note_is_given(root):
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
    ("image,patient_id\na,X\n", "no patient for 1 images.*b"),
    ("image,patient\na,X\nb,X\n", "must have image and patient_id"),
    ("image,patient_id\na,\nb,X\n", "must have image and patient_id"),
    ("image,patient_id\na,X\nb,X\na,Y\n", "two different rows"),
    ("image,patient_id,split\na,X,validation\nb,X,\n", "validation"),
])  # fmt: skip
def test_bad_patients_are_an_error(root, text, message):
    (root / "patients.csv").write_text(text)
    with pytest.raises(UserError, match=message):
        folder.scan(root)


def test_images_without_a_mask_are_recorded_in_the_ledger(root):
    put(root, "images/c.png", FILM)
    put(root, "masks/d.png", MASK)
    put(root, "images/a.jpg", FILM)
    _, films, ledger = read_all(root)
    assert {name: row.action for name, row in ledger.items()} == {
        "a": Action.SKIPPED_AMBIGUOUS, "b": Action.USED, "c": Action.SKIPPED_MISSING, "d": Action.SKIPPED_MISSING}
    assert len(films) == 1


def test_damaged_and_unusual_masks_are_skipped_or_noted(root):
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


def test_sixteen_bit_images_keep_their_depth(root):
    deep = FILM.astype(np.uint16) * 16 + np.arange(32, dtype=np.uint16)
    put(root, "images/a.png", deep)
    _, films, _ = read_all(root)
    assert len(np.unique(films[0].image)) == len(np.unique(deep))


def test_a_folder_without_pairs_is_an_error(tmp_path):
    put(tmp_path, "images/a.png", FILM)
    put(tmp_path, "masks/b.png", MASK)
    with pytest.raises(UserError, match="same name"):
        folder.scan(tmp_path)


@pytest.mark.parametrize(("name", "expected"), [("2024 films", "set_2024_films"), ("Ärzte", "rzte"), ("--", "set")])
def test_name_is_an_identifier(tmp_path, name, expected):
    put(tmp_path / name, "images/a.png", FILM)
    put(tmp_path / name, "masks/a.png", MASK)
    assert folder.scan(tmp_path / name).name == expected


def test_subfolders_links_and_unicode_names_are_supported(root, tmp_path):
    put(root, "images/p1/x.png", FILM)
    put(root, "masks/p1/x.png", MASK)
    put(tmp_path, "elsewhere/y.png", FILM)
    put(root, "masks/far/y.png", MASK)
    (root / "images" / "far").symlink_to(tmp_path / "elsewhere")
    put(root, "images/Mu\u0308ller.png", FILM)  # as macOS writes it
    put(root, "masks/M\u00fcller.png", MASK)
    (root / "images" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    put(root, "masks/gone.png", MASK)
    _, _, ledger = read_all(root)
    assert {name: row.action for name, row in ledger.items()} == {
        "a": Action.USED, "b": Action.USED, "p1__x": Action.USED, "far__y": Action.USED, "M\u00fcller": Action.USED,
        "gone": Action.SKIPPED_UNREADABLE}  # fmt: skip
    assert ledger["p1__x"].film_file == "images/p1/x.png"


def test_every_file_has_a_row(root):
    (root / "images" / "notes.docx").write_bytes(b"no picture")
    (root / "masks" / "deep").mkdir()
    (root / "masks" / "deep" / "a.nii").write_bytes(b"no picture")
    (root / "images" / ".DS_Store").write_bytes(b"")
    _, _, ledger = read_all(root)
    assert set(ledger) == {"a", "b", "images__notes.docx", "masks__deep__a.nii"}
    row = ledger["images__notes.docx"]
    assert row.action is Action.SKIPPED_UNREADABLE and "DICOM" in row.detail


def test_dicom_images_and_masks_are_read(root):
    elements = {"SOPClassUID": dicom_files.MAMMOGRAPHY, "ImagerPixelSpacing": [0.07, 0.07]}
    dicom_files.write(root / "images" / "1.2.840", FILM.astype(np.uint16) * 9, **elements)
    dicom_files.write(root / "masks" / "1.2.840", MASK)
    dicom_files.write(root / "images" / "d.dcm", FILM, PhotometricInterpretation="MONOCHROME1", **elements)
    put(root, "masks/d.png", MASK)
    _, films, ledger = read_all(root)
    assert (ledger["1.2.840"].action, ledger["d"].action) == (Action.USED, Action.INVERTED)
    assert films[0].pixel_spacing_mm == 0.07
    np.testing.assert_array_equal(films[0].masks[0][1], MASK > 0)


def test_an_inverted_image_is_corrected_and_noted(root):
    film = np.full((600, 500), 20, np.uint8)
    film[100:500, :250] = 120 + np.random.default_rng(0).integers(0, 60, (400, 250)).astype(np.uint8)
    mask = np.zeros_like(film)
    mask[200:260, 100:160] = 255
    for name, picture in (("n", 255 - film), ("p", film)):
        put(root, f"images/{name}.png", picture)
        put(root, f"masks/{name}.png", mask)
    _, films, ledger = read_all(root)
    assert ledger["n"].action is Action.INVERTED and "inverted" in ledger["n"].detail
    assert ledger["p"].action is Action.USED and ledger["p"].detail == ""
    np.testing.assert_array_equal(films[2].image, films[3].image)


@pytest.mark.parametrize("turn", [np.transpose, np.rot90, lambda mask: np.rot90(mask, -1)])
def test_a_transposed_mask_is_ambiguous(root, turn):
    put(root, "masks/a.png", np.ascontiguousarray(turn(MASK)))
    _, _, ledger = read_all(root)
    assert ledger["a"].action is Action.SKIPPED_AMBIGUOUS and "mask of 32 x 24" in ledger["a"].detail


def test_the_list_names_images_by_path_or_by_name(root):
    put(root, "images/p1/x.png", FILM)
    put(root, "masks/p1/x.png", MASK)
    told = "patients.csv: 1 cells of assessment are not numbers from 0 to 6; used as unknown"
    for cell in ("images\\\\p1\\\\x.png", "p1/x", "x.png", "C:\\\\data\\\\images\\\\p1\\\\x.PNG", "./images/p1/x.png"):
        text = f"image;patient id;assessment\n{cell};P1;4,0\na.png;P2;4a\nb;P3;²\n"
        (root / "patients.csv").write_text(text, encoding="utf-8")
        inventory = folder.scan(root)
        known = {film.film_id: (film.lesions[0].patient_id, film.lesions[0].assessment) for film in inventory.films}
        assert known == {"p1__x": ("P1", 4), "a": ("P2", 4), "b": ("P3", -1)}
        assert inventory.notes == (told,)
