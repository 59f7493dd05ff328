import numpy as np
import other_sets
import pytest

from tfrespam.core.errors import UserError
from tfrespam.data.loading import protocols
from tfrespam.data.readers import mini_mias
from tfrespam.data.readers.records import Action


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("sources") / "all-mias"
    other_sets.write_mias(home)
    return home


@pytest.fixture(scope="module")
def everything(home):
    return other_sets.read_all(mini_mias, home)


@pytest.mark.parametrize("above", [False, True])
def test_only_masses_are_listed_and_rows_without_a_circle_are_noted(home, above):
    root = home.parent if above else home
    assert mini_mias.recognise(root)
    inventory = mini_mias.scan(root)
    assert (inventory.name, inventory.layout) == ("mini_mias", "mini_mias") and "weak" in inventory.notes[0]
    assert [film.film_id for film in inventory.films] == ["mdb001", "mdb005", "mdb010", "mdb058", "mdb178"]
    (row,) = inventory.ledger
    assert (row.lesion_id, row.action) == ("mdb059_1", Action.SKIPPED_EMPTY)
    assert row.detail == "the list contains no circle for it"


def test_circles_become_disks_with_y_counted_from_the_bottom(everything):
    _, films, ledger = everything
    (lesion, mask), (_, second) = films["mdb005"].masks
    rows, columns = np.nonzero(mask)
    assert (rows.min(), rows.max()) == (1023 - 133 - 30, 1023 - 133 + 30)
    assert (columns.min(), columns.max()) == (477 - 30, 477 + 30)
    assert [mask.sum(), second.sum()] == pytest.approx([np.pi * 30**2, np.pi * 26**2], rel=0.02)
    assert (lesion.lesion_id, lesion.pathology, lesion.margins, lesion.view) == (
        "mdb005_1", "BENIGN", "CIRCUMSCRIBED", "MLO")  # fmt: skip
    assert films["mdb005"].pixel_spacing_mm == 0.2 and films["mdb005"].image.max() == 65535
    assert ledger["mdb005_2"].action is Action.USED and ledger["mdb005_2"].mask_file == "Info.txt"
    assert films["mdb178"].masks[0][0].margins == "SPICULATED" and films["mdb058"].masks[0][0].pathology == "MALIGNANT"


def test_left_and_right_film_of_a_pair_are_one_patient(tmp_path):
    info = "".join(f"mdb{number:03} G CIRC B 500 500 40\n" for number in range(1, 9))
    other_sets.write_mias(tmp_path, "REFNUM\n" + info, 64)
    lesions = [film.lesions[0] for film in mini_mias.scan(tmp_path).films]
    assert [lesion.patient_id for lesion in lesions] == [f"mias{n:03}" for n in (1, 1, 2, 2, 3, 3, 4, 4)]
    assert [lesion.laterality for lesion in lesions] == ["RIGHT", "LEFT"] * 4
    fold = protocols.folds([lesion.patient_id for lesion in lesions])
    assert len({fold[lesion.patient_id] for lesion in lesions[:2]}) == 1


def test_unreadable_films_are_recorded_in_the_ledger(tmp_path):
    info = "".join(f"mdb{film:03} G CIRC B {x} 480 144\n" for film, x in ((1, 480), (2, 480), (3, 2000), (4, 480)))
    other_sets.write_mias(tmp_path, "REFNUM\n" + info, 64)
    (tmp_path / "mdb001.pgm").write_bytes((tmp_path / "mdb001.pgm").read_bytes()[:300])
    (tmp_path / "mdb002.pgm").unlink()
    _, films, ledger = other_sets.read_all(mini_mias, tmp_path)
    assert {name: row.action for name, row in ledger.items()} == {
        "mdb001_1": Action.SKIPPED_UNREADABLE, "mdb002_1": Action.SKIPPED_MISSING, "mdb003_1": Action.SKIPPED_EMPTY,
        "mdb004_1": Action.USED}  # fmt: skip
    assert films["mdb001"].image is None and films["mdb003"].image is None


def test_the_list_is_found_in_the_original_readme(tmp_path):
    other_sets.write_mias(tmp_path, size=64)
    text = "INFORMATION:\n\n1st column: MIAS database reference number.\n\n    mdb777 is no row\n"
    (tmp_path / "00README").write_text(text + (tmp_path / "Info.txt").read_text())
    (tmp_path / "Info.txt").unlink()
    assert len(mini_mias.scan(tmp_path).films) == 5


def test_no_circled_mass_is_an_error(tmp_path):
    other_sets.write_mias(tmp_path, "REFNUM\nmdb003 D NORM\n", 64)
    with pytest.raises(UserError, match="no film with a circled mass.*mdb005"):
        mini_mias.scan(tmp_path)


@pytest.mark.parametrize("size", [2048, 512, 256])
def test_circles_are_scaled_for_films_of_another_size(tmp_path, size):
    other_sets.write_mias(tmp_path, "REFNUM\nmdb005 F CIRC B 477 133 30\n", size)
    _, films, ledger = other_sets.read_all(mini_mias, tmp_path)
    pixels, row = films["mdb005"], ledger["mdb005_1"]
    rows, columns = np.nonzero(pixels.masks[0][1])
    assert (columns.mean() + 0.5) / size == pytest.approx(477.5 / 1024, abs=1 / size)
    assert (rows.mean() + 0.5) / size == pytest.approx((1023 - 133 + 0.5) / 1024, abs=1 / size)
    assert len(rows) == pytest.approx(np.pi * (30 * size / 1024) ** 2, rel=0.1)
    assert pixels.pixel_spacing_mm == pytest.approx(0.2 * 1024 / size)
    assert row.action is Action.USED and f"from 1024 to {size}" in row.detail


def test_a_film_of_another_shape_is_unreadable_with_the_expected_size(tmp_path):
    other_sets.write_mias(tmp_path, "REFNUM\nmdb005 F CIRC B 477 133 30\n", 512)
    other_sets.write(tmp_path / "mdb005.pgm", other_sets.picture(0, (512, 300)))
    _, _, ledger = other_sets.read_all(mini_mias, tmp_path)
    assert ledger["mdb005_1"].action is Action.SKIPPED_UNREADABLE and "1024 x 1024" in ledger["mdb005_1"].detail


@pytest.mark.parametrize(("text", "encoding"), [
    ("mdb005 F CIRC B 477.0 133.0 30.0\n", "utf-8"), ("mdb005 F CIRC B 477 133 30\n", "utf-8-sig"),
    ("mdb005\tF\tCIRC\tB\t477\t133\t30\r\n", "utf-16"), ("mdb005,F,CIRC,B,477,133,30\n", "utf-8"),
    ("\n  mdb005 F CIRC B 477 133 30   \n", "utf-8")])  # fmt: skip
def test_lists_in_other_encodings_and_separators_are_read(tmp_path, text, encoding):
    (tmp_path / "Info.txt").write_bytes(text.encode(encoding))
    (finding,) = mini_mias.read_list(tmp_path / "Info.txt")
    assert (finding.film, finding.kind, finding.circle) == ("mdb005", "CIRC", (477, 133, 30))


@pytest.mark.parametrize("circle", ["² 133 30", "x 133 30", "477 133", "*NOTE 3*"])
def test_a_circle_without_three_numbers_is_ignored(tmp_path, circle):
    (tmp_path / "Info.txt").write_text(f"mdb005 F CIRC B {circle}\n", encoding="utf-8")
    assert mini_mias.read_list(tmp_path / "Info.txt")[0].circle is None
