import os
import pickle

import cbis_tree
import numpy as np
import pytest
from cbis_tree import Entry

from tfrespam.core.errors import UserError
from tfrespam.data.readers import cbis_ddsm
from tfrespam.data.readers.records import Action

LAYOUTS = ("tcia", "nbia", "kaggle")


def read_all(root):
    """Return the inventory, the pixels of each film, and the ledger by lesion."""
    inventory = cbis_ddsm.scan(root)
    films = [cbis_ddsm.read(pickle.loads(pickle.dumps(film))) for film in inventory.films]
    rows = [*inventory.ledger, *(row for film in films for row in film.ledger)]
    ledger = {row.lesion_id: row for row in rows}
    assert len(ledger) == len(rows)
    return inventory, films, ledger


def read_one(root, entry, layout="tcia"):
    _, films, ledger = read_all(cbis_tree.write(root, [entry], layout))
    return films[0], ledger[f"{entry.film_id}_{entry.number}"]


def scaled(film):
    whole = film.astype(np.float64)
    return np.rint((whole - whole.min()) * 65535 / np.ptp(whole))


@pytest.mark.parametrize("one_series", [True, False])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_film_and_mask(tmp_path, layout, one_series):
    entry = Entry("P_00001", one_series=one_series)
    inventory, (pixels,), ledger = read_all(cbis_tree.write(tmp_path, [entry], layout))
    assert (inventory.name, inventory.layout) == ("cbis_ddsm_mass", layout)
    assert ledger["P_00001_LEFT_CC_1"].action is Action.USED
    assert pixels.image.dtype == np.uint16 and np.isnan(pixels.pixel_spacing_mm)
    np.testing.assert_allclose(pixels.image, scaled(entry.film), atol=8 * 257 if layout == "kaggle" else 0)
    lesion, mask = pixels.masks[0]
    assert mask.dtype == bool
    np.testing.assert_array_equal(mask, entry.mask > 0)


def test_case_list_is_read_with_missing_and_irregular_values(tmp_path):
    fields = {"breast_density": "", "mass shape": "", "subtlety": "0", "assessment": "0"}
    cbis_tree.write(tmp_path, [Entry("P_00001", fields=fields), Entry("P_00002", split="Test")])
    one, two = (film.lesions[0] for film in cbis_ddsm.scan(tmp_path).films)
    assert (one.lesion_id, one.film_id, one.patient_id) == ("P_00001_LEFT_CC_1", "P_00001_LEFT_CC", "P_00001")
    assert (one.breast_density, one.shape, one.margins, one.subtlety, one.assessment) == (-1, "", "", 0, 0)
    assert (two.split, two.breast_density, two.shape) == ("test", 3, "OVAL")
    assert two.pathology == "BENIGN_WITHOUT_CALLBACK" and (two.laterality, two.view) == ("LEFT", "CC")


def test_several_lesions_of_a_film_share_it_in_list_order(tmp_path):
    entries = [Entry("P_00001"), Entry("P_00003"), Entry("P_00001", number=2)]
    inventory, films, _ = read_all(cbis_tree.write(tmp_path, entries))
    assert [film.film_id for film in inventory.films] == ["P_00001_LEFT_CC", "P_00003_LEFT_CC"]
    assert [row.lesion_id for row in films[0].ledger] == ["P_00001_LEFT_CC_1", "P_00001_LEFT_CC_2"]
    for (_, mask), entry in zip(films[0].masks, (entries[0], entries[2]), strict=True):
        np.testing.assert_array_equal(mask, entry.mask > 0)


@pytest.mark.parametrize("one_series", [True, False])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_swapped_crop_and_mask_files_are_detected(tmp_path, layout, one_series):
    entry = Entry("P_00001", one_series=one_series, swapped=True)
    pixels, row = read_one(tmp_path, entry, layout)
    assert row.action is Action.REPAIRED_SWAP
    np.testing.assert_array_equal(pixels.masks[0][1], entry.mask > 0)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_mask_of_another_size_is_fitted(tmp_path, layout):
    entry = Entry("P_00001")
    true = entry.mask > 0
    entry.mask = np.repeat(np.repeat(entry.mask, 2, axis=0), 2, axis=1)[:-6]
    pixels, row = read_one(tmp_path, entry, layout)
    assert row.action is Action.REPAIRED_SIZE and "90 x 72" in row.detail and "48 x 36" in row.detail
    fitted = pixels.masks[0][1]
    assert fitted.shape == true.shape
    assert 2 * (fitted & true).sum() / (fitted.sum() + true.sum()) > 0.85


@pytest.mark.parametrize("layout", LAYOUTS)
def test_negative_film_is_inverted(tmp_path, layout):
    entry = Entry("P_00001", photometric="MONOCHROME1")
    right, entry.film = entry.film, 65535 - entry.film
    pixels, row = read_one(tmp_path, entry, layout)
    assert row.action is Action.INVERTED
    np.testing.assert_allclose(pixels.image, scaled(right), atol=8 * 257 if layout == "kaggle" else 0)


def test_the_action_is_the_most_serious_repair_and_the_detail_lists_all(tmp_path):
    entry = Entry("P_00001", swapped=True, photometric="MONOCHROME1")
    entry.mask = entry.mask[2:, :-3]
    _, row = read_one(tmp_path, entry)
    assert row.action is Action.REPAIRED_SWAP
    assert "crop" in row.detail and "46 x 33" in row.detail and "dark on bright" in row.detail


@pytest.mark.parametrize(("kind", "damage", "action"), [
    ("mask", "remove", Action.SKIPPED_MISSING),
    ("film", "remove", Action.SKIPPED_MISSING),
    ("mask", "truncate", Action.SKIPPED_UNREADABLE),
    ("film", "truncate", Action.SKIPPED_UNREADABLE),
    ("mask", "text", Action.SKIPPED_UNREADABLE),
    ("film", "text", Action.SKIPPED_UNREADABLE),
    ("film", "empty", Action.SKIPPED_UNREADABLE),
    ("crop", "remove", Action.USED),
    ("crop", "text", Action.USED),
])  # fmt: skip
def test_a_damaged_file_affects_only_its_lesion(tmp_path, kind, damage, action):
    entry = Entry("P_00001")
    cbis_tree.write(tmp_path, [entry, Entry("P_00002")])
    path = cbis_tree.files(tmp_path, entry)[kind]
    if damage == "remove":
        path.unlink()
    else:
        path.write_bytes({"truncate": path.read_bytes()[:-100], "text": b"<html>404</html>", "empty": b""}[damage])
    _, films, ledger = read_all(tmp_path)
    row = ledger["P_00001_LEFT_CC_1"]
    assert row.action is action and (row.detail or action is Action.USED)
    assert ledger["P_00002_LEFT_CC_1"].action is Action.USED
    assert sum(len(film.masks) for film in films) == (2 if action.kept else 1)


@pytest.mark.parametrize(("layout", "grey"), [("tcia", 0), ("tcia", 255), ("nbia", 0), ("kaggle", 0)])
def test_constant_mask_is_empty(tmp_path, layout, grey):
    entry = Entry("P_00001")
    entry.mask = np.full_like(entry.mask, grey)
    pixels, row = read_one(tmp_path, entry, layout)
    assert row.action is Action.SKIPPED_EMPTY and pixels.image is None and not pixels.masks


def test_a_truncated_jpeg_film_is_rejected(tmp_path):
    cbis_tree.write(tmp_path, [Entry("P_00001")], "kaggle")
    path = tmp_path / cbis_ddsm.scan(tmp_path).films[0].files.film[0]
    path.write_bytes(path.read_bytes()[:-200])
    _, _, ledger = read_all(tmp_path)
    assert ledger["P_00001_LEFT_CC_1"].action is Action.SKIPPED_UNREADABLE


def test_two_grey_files_are_ambiguous(tmp_path):
    entry = Entry("P_00001")
    entry.mask = (entry.film // 300).astype(np.uint8)
    _, row = read_one(tmp_path, entry)
    assert row.action is Action.SKIPPED_AMBIGUOUS


def test_a_mask_of_a_quarter_of_the_film_size_is_ambiguous(tmp_path):
    entry = Entry("P_00001")
    entry.mask = entry.mask[::4, ::4]
    _, row = read_one(tmp_path, entry)
    assert row.action is Action.SKIPPED_AMBIGUOUS and "12 x 9" in row.detail


def test_a_missing_test_list_is_allowed(tmp_path):
    entries = [Entry("P_00001"), Entry("P_00002", split="Test")]
    cbis_tree.write(tmp_path, entries[:1])
    cbis_tree.write_list(tmp_path, "test", entries[1:])
    inventory, _, ledger = read_all(tmp_path)
    assert ledger["P_00002_LEFT_CC_1"].action is Action.ABSENT
    assert ledger["P_00001_LEFT_CC_1"].action is Action.USED
    (tmp_path / "mass_case_description_test_set.csv").unlink()
    assert [film.film_id for film in cbis_ddsm.scan(tmp_path).films] == [film.film_id for film in inventory.films]


def test_files_with_new_uids_are_matched_by_patient_id(tmp_path):
    entry = Entry("P_00001")
    cbis_tree.write(tmp_path, [entry], "nbia")
    path = tmp_path / "mass_case_description_train_set.csv"
    path.write_text(path.read_text().replace("/1.2.", "/9.9."))
    _, (pixels,), ledger = read_all(tmp_path)
    assert ledger["P_00001_LEFT_CC_1"].action is Action.USED
    np.testing.assert_array_equal(pixels.masks[0][1], entry.mask > 0)


def test_names_of_files_and_folders_do_not_matter(tmp_path):
    entry = Entry("P_00001")
    cbis_tree.write(tmp_path, [entry])
    for number, path in enumerate(sorted(tmp_path.rglob("*.dcm"), reverse=True)):
        (tmp_path / "flat").mkdir(exist_ok=True)
        path.rename(tmp_path / "flat" / f"{number}.dcm")
    _, (pixels,), ledger = read_all(tmp_path)
    assert ledger["P_00001_LEFT_CC_1"].action.kept
    np.testing.assert_array_equal(pixels.masks[0][1], entry.mask > 0)


def test_the_download_may_be_in_a_subfolder(tmp_path):
    cbis_tree.write(tmp_path / "downloads" / "cbis", [Entry("P_00001")])
    assert cbis_ddsm.recognise(tmp_path)
    assert len(cbis_ddsm.scan(tmp_path).films) == 1


def test_calcifications_are_ignored_with_a_note(tmp_path):
    cbis_tree.write(tmp_path, [Entry("P_00001"), Entry("P_00002", fields={"abnormality type": "calcification"})])
    (tmp_path / "calc_case_description_train_set.csv").write_text("patient_id\n")
    inventory = cbis_ddsm.scan(tmp_path)
    assert [film.film_id for film in inventory.films] == ["P_00001_LEFT_CC"]
    assert "calcification" in inventory.notes[0]


@pytest.mark.parametrize("below", [".", "inner"])
def test_phantom_data_are_recognised_by_their_marker(tmp_path, below):
    cbis_tree.write(tmp_path / below, [Entry("P_00001")])
    (tmp_path / below / "PHANTOM.txt").write_text("generated")
    inventory = cbis_ddsm.scan(tmp_path)
    assert inventory.name == inventory.films[0].lesions[0].source == "phantom"


def test_lesion_listed_twice_counts_once(tmp_path):
    _, _, ledger = read_all(cbis_tree.write(tmp_path, [Entry("P_00001"), Entry("P_00001")]))
    assert ledger["P_00001_LEFT_CC_1"].action is Action.USED
    assert ledger["P_00001_LEFT_CC_1_again"].action is Action.SKIPPED_AMBIGUOUS


def test_circular_links_are_followed_once(tmp_path):
    cbis_tree.write(tmp_path, [Entry("P_00001")])
    os.symlink(tmp_path, tmp_path / "CBIS-DDSM" / "loop")
    assert len(cbis_ddsm.scan(tmp_path).films) == 1


def test_order_and_result_are_reproducible(tmp_path):
    cbis_tree.write(tmp_path, [Entry(f"P_{k:05d}") for k in (5, 3, 9, 1)])
    assert repr(cbis_ddsm.scan(tmp_path)) == repr(cbis_ddsm.scan(tmp_path))
    assert [film.film_id[:7] for film in cbis_ddsm.scan(tmp_path).films] == ["P_00005", "P_00003", "P_00009", "P_00001"]


def test_a_list_without_films_and_films_without_a_list_are_errors(tmp_path):
    cbis_tree.write_list(tmp_path / "a", "train", [Entry("P_00001")])
    with pytest.raises(UserError, match="none of its films"):
        cbis_ddsm.scan(tmp_path / "a")
    cbis_tree.write(tmp_path / "b", [Entry("P_00001")], lists=())
    assert cbis_ddsm.recognise(tmp_path / "b")
    with pytest.raises(UserError, match="mass_case_description_train_set.csv"):
        cbis_ddsm.scan(tmp_path / "b")


@pytest.mark.parametrize("text", ["patient_id,image view\nP_1,CC\n", "\x00\xff"])
def test_a_list_of_another_format_is_an_error(tmp_path, text):
    cbis_tree.write(tmp_path, [Entry("P_00001")])
    (tmp_path / "mass_case_description_train_set.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(UserError):
        cbis_ddsm.scan(tmp_path)


def test_damaged_files_raise_no_unexpected_error(tmp_path):
    entry = Entry("P_00001")
    cbis_tree.write(tmp_path, [entry])
    (film,) = cbis_ddsm.scan(tmp_path).films
    paths, generator = cbis_tree.files(tmp_path, entry), np.random.default_rng(3)
    for _ in range(60):
        kind = ("film", "crop", "mask")[generator.integers(3)]
        whole = paths[kind].read_bytes()
        damaged = bytearray(whole)
        for place in generator.integers(128, len(whole), 6):
            damaged[place] = generator.integers(0, 256)
        paths[kind].write_bytes(bytes(damaged))
        pixels = cbis_ddsm.read(film)
        assert len(pixels.ledger) == 1 and len(pixels.masks) == int(pixels.ledger[0].action.kept)
        paths[kind].write_bytes(whole)
