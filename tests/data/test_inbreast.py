import pickle

import numpy as np
import pytest
from other_sets import INBREAST_FILM as FILM
from other_sets import annotate_inbreast as annotate
from other_sets import put_inbreast_film as put_film

from tfrespam.core.errors import UserError
from tfrespam.data.readers import inbreast
from tfrespam.data.readers.records import Action

SQUARE = [(10, 20), (24, 20), (24, 31), (10, 31)]
HEADER = "Patient ID;Patient age;Laterality;View;Acquisition date;File Name;ACR;Bi-Rads\n"


@pytest.fixture
def home(tmp_path):
    home = tmp_path / "INbreast Release 1.0"
    put_film(home, 20586908)
    annotate(home, 20586908, [("Mass", SQUARE), ("Calcification", [(3, 3)]), ("Cluster", SQUARE)])
    (home / "INbreast.csv").write_text(HEADER + "removed;removed;R;MLO;201001;20586908;2;4b\n;;;;;;;\n")
    return home


def read_all(root):
    inventory = inbreast.scan(root)
    films = [inbreast.read(pickle.loads(pickle.dumps(film))) for film in inventory.films]
    ledger = {row.lesion_id: row for row in (*inventory.ledger, *(row for film in films for row in film.ledger))}
    return inventory, films, ledger


@pytest.mark.parametrize("above", [False, True])
def test_masses_of_the_published_layout(home, above):
    root = home.parent if above else home
    assert inbreast.recognise(root)
    inventory, (pixels,), ledger = read_all(root)
    assert (inventory.name, inventory.layout, inventory.notes) == ("inbreast", "inbreast", ())
    (lesion, mask), = pixels.masks
    assert (lesion.lesion_id, lesion.film_id, lesion.patient_id) == ("20586908_1", "20586908", "6c613a14b80a8591")
    assert (lesion.laterality, lesion.view, lesion.breast_density, lesion.assessment) == ("RIGHT", "MLO", 2, 4)
    assert ledger["20586908_1"].action is Action.USED
    assert pixels.pixel_spacing_mm == 0.07 and (pixels.image.min(), pixels.image.max()) == (0, 65535)
    rows, columns = np.nonzero(mask)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (20, 31, 10, 24)  # points are (x, y)
    assert mask.all(axis=None, where=mask) and mask.sum() == 12 * 15


def test_spiculated_region_counts_only_without_a_mass_of_its_own(home):
    far = [(2, 40), (9, 40), (9, 55)]
    around = [(5, 15), (30, 15), (30, 36), (5, 36)]
    annotate(home, 20586908, [("Espiculated Region", around), ("mass ", SQUARE), ("Spiculated region", far)])
    _, (pixels,), _ = read_all(home)
    assert [int(mask.sum()) for _, mask in pixels.masks][0] == 12 * 15
    assert len(pixels.masks) == 2 and pixels.masks[1][1][41:50, 2:9].any()


def test_outline_is_filled_not_drawn(home):
    angles = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    circle = [(20 + 12 * np.cos(angle), 30 + 12 * np.sin(angle)) for angle in angles]
    annotate(home, 20586908, [("Mass", circle)])
    _, (pixels,), _ = read_all(home)
    assert abs(pixels.masks[0][1].sum() / (np.pi * 144) - 1) < 0.1
    assert pixels.masks[0][1][30, 20]


def test_unreadable_files_are_recorded_in_the_ledger(home):
    annotate(home, 2, [("Mass", SQUARE)])  # no film
    annotate(home, 3, [("Mass", SQUARE)])
    put_film(home, 3, Rows=600)  # truncated
    annotate(home, 4, [("Mass", [(5, 5)]), ("Mass", SQUARE), ("Mass", [(900, 900), (910, 900), (905, 910)])])
    put_film(home, 4)
    annotate(home, 5, [("Calcification", [(5, 5)])])
    put_film(home, 5)
    (home / "AllXML" / "6.xml").write_text("<plist><dict>")
    inventory, _, ledger = read_all(home)
    assert {name: row.action for name, row in ledger.items()} == {
        "20586908_1": Action.USED, "2_1": Action.SKIPPED_MISSING, "3_1": Action.SKIPPED_UNREADABLE,
        "4_1": Action.SKIPPED_EMPTY, "4_2": Action.USED, "4_3": Action.SKIPPED_EMPTY,
        "6_1": Action.SKIPPED_UNREADABLE}  # fmt: skip
    assert [film.film_id for film in inventory.films] == ["20586908", "3", "4"]


def test_without_the_list_facts_are_unknown(home):
    (home / "INbreast.csv").unlink()
    inventory, _, _ = read_all(home)
    lesion = inventory.films[0].lesions[0]
    assert (lesion.assessment, lesion.breast_density, lesion.view) == (-1, -1, "MLO")
    assert "INbreast.csv" in inventory.notes[0]


def test_window_of_the_film_is_applied(home):
    put_film(home, 20586908, WindowCenter="2048", WindowWidth="100")
    _, (pixels,), _ = read_all(home)
    assert (pixels.image[FILM < 1990] == 0).all() and (pixels.image[FILM > 2110] == 65535).all()


def test_no_mass_at_all_is_an_error(home):
    annotate(home, 20586908, [("Asymmetry", SQUARE)])
    with pytest.raises(UserError, match="no film with an outlined mass"):
        inbreast.scan(home)


@pytest.mark.parametrize("write", [lambda x, y: f"({x}, {y})", lambda x, y: f"({x:.1f}, {y:.1f})".replace(".", ","),
                                   lambda x, y: f"({x:.1f},{y:.1f})".replace(".", ","), lambda x, y: f"({x},{y})",
                                   lambda x, y: f"{x:.1f}; {y:.1f}".replace(".", ","),
                                   lambda x, y: f"({x}, {y}, 0)"])  # fmt: skip
def test_points_with_decimal_commas_and_other_separators_are_read(write):
    assert inbreast._points([write(x, y) for x, y in SQUARE]) == tuple(SQUARE)


@pytest.mark.parametrize("text", ["", "(1, 2", "(1)", "(a, b)", "(nan, 1)", "(1,2,3,4,5)"])
def test_other_texts_are_not_read_as_points(text):
    if text == "(1, 2":
        assert inbreast._points([text]) == ((1.0, 2.0),)
    else:
        with pytest.raises(ValueError):
            inbreast._points([text])


def test_a_region_without_points_is_skipped_and_the_others_used(home):
    path = home / "AllXML" / "20586908.xml"
    annotate(home, 20586908, [("Mass", []), ("Mass", SQUARE)])
    _, _, ledger = read_all(home)
    assert [ledger[f"20586908_{k}"].action for k in (1, 2)] == [Action.SKIPPED_EMPTY, Action.USED]
    import plistlib

    whole = plistlib.loads(path.read_bytes())
    del whole["Images"][0]["ROIs"][0]["Point_px"]
    path.write_bytes(plistlib.dumps(whole))
    _, _, ledger = read_all(home)
    assert [ledger[f"20586908_{k}"].action for k in (1, 2)] == [Action.SKIPPED_EMPTY, Action.USED]


def test_the_list_saved_by_excel_is_read(home):
    text = HEADER + "removed;removed;R;MLO;201001;20586908,0;2,0;4b\n"
    for content in (text.encode("utf-16"), ("sep=;\n" + text).encode(), text.encode("utf-8-sig"),
                    text.replace(",0", "").replace(";", ",").encode()):  # fmt: skip
        (home / "INbreast.csv").write_bytes(content)
        lesion = read_all(home)[0].films[0].lesions[0]
        assert (lesion.assessment, lesion.breast_density) == (4, 2)
