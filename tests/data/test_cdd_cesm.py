import builtins
import json

import numpy as np
import other_sets
import pytest

from tfrespam.core.errors import UserError
from tfrespam.data.readers import cdd_cesm, cesm_regions, cesm_sheet
from tfrespam.data.readers.records import Action

POLYGON = {"name": "polygon", "all_points_x": [10, 30, 30, 10], "all_points_y": [20, 20, 60, 60]}
CIRCLE = {"name": "circle", "cx": 40, "cy": 50, "r": 12.5}
ELLIPSE = {"name": "ellipse", "cx": 40, "cy": 60, "rx": 10, "ry": 20, "theta": 0}
REGIONS = [("P1_L_DM_CC.jpg", POLYGON), ("P1_L_CM_CC.jpg", POLYGON), ("P2_R_DM_MLO .jpg", CIRCLE),
           ("P2_R_DM_MLO .jpg", ELLIPSE), ("P3_R_DM_CC.jpg", None)]  # fmt: skip
SHEET = [
    {"Image_name": "P1_L_DM_CC", "Breast density (ACR)": "C", "BIRADS": 4, "Findings": "Mass",
     "Pathology Classification/ Follow up": "Malignant"},
    {"Image_name": "P1_L_CM_CC ", "Breast density (ACR)": "_", "BIRADS": "3$5",
     "Findings": "Heterogeneous mass enhancement", "Pathology Classification/ Follow up": "Malignant"},
    {"Image_name": "P2_R_DM_MLO", "Breast density (ACR)": "B", "BIRADS": "4$2", "Findings": "Mass$Calcifications",
     "Pathology Classification/ Follow up": "Benign"},
    {"Image_name": "P4_R_CM_CC", "BIRADS": 4, "Findings": "Non-mass enhancement"},
    {"Image_name": "P5_R_CM_CC", "BIRADS": 1, "Findings": "Normal"},
]  # fmt: skip


@pytest.fixture
def home(tmp_path):
    other_sets.write_cesm(tmp_path / "CDD-CESM", REGIONS)
    return tmp_path / "CDD-CESM"


def test_without_the_sheet_every_outline_is_used_and_a_note_given(home):
    assert cdd_cesm.recognise(home) and not cdd_cesm.recognise(home / "none")
    inventory, films, ledger = other_sets.read_all(cdd_cesm, home)
    assert list(films) == ["P1_L_DM_CC", "P1_L_CM_CC", "P2_R_DM_MLO"] and "every outlined finding" in inventory.notes[0]
    (lesion, mask), = films["P1_L_DM_CC"].masks
    assert (lesion.lesion_id, lesion.patient_id, lesion.laterality, lesion.view) == (
        "P1_L_DM_CC_1", "P1", "LEFT", "CC")  # fmt: skip
    rows, columns = np.nonzero(mask)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (20, 60, 10, 30) and mask.sum() == 41 * 21
    assert {name: row.detail for name, row in ledger.items()} == {
        "P1_L_DM_CC_1": "polygon", "P1_L_CM_CC_1": "polygon", "P2_R_DM_MLO_1": "circle", "P2_R_DM_MLO_2": "ellipse"}


def test_masses_and_attributes_are_read_from_the_sheet(home):
    other_sets.write_sheet(home / "Radiology-manual-annotations.xlsx", SHEET)
    inventory, films, ledger = other_sets.read_all(cdd_cesm, home)
    assert list(films) == ["P1_L_DM_CC", "P1_L_CM_CC"] and inventory.notes == ()
    lesion, contrast = (films[name].masks[0][0] for name in films)
    assert (lesion.pathology, lesion.assessment, lesion.breast_density) == ("MALIGNANT", 4, 3)
    assert (contrast.assessment, contrast.breast_density) == (5, -1)
    row = ledger["P2_R_DM_MLO_1"]
    assert row.action is Action.SKIPPED_AMBIGUOUS and "Calcifications" in row.detail


def test_the_sheet_saved_as_csv_gives_the_same_result(home, tmp_path):
    other_sets.write_sheet(tmp_path / "all.xlsx", SHEET)
    expected = cesm_sheet.read(tmp_path / "all.xlsx")
    rows = cesm_sheet._rows_of_workbook(tmp_path / "all.xlsx")
    path = home / "Radiology manual annotations.csv"
    path.write_text("\n".join(",".join(row) for row in rows))
    assert cesm_sheet.find(home) == path and cesm_sheet.read(path) == expected
    path.write_text("\n\n".join(",".join(row).rstrip(",") for row in rows) + "\nP9_L_DM_CC\n")  # blank and short lines
    assert cesm_sheet.read(path).items() >= expected.items() and not cesm_sheet.read(path)["P9_L_DM_CC"]["masses"]
    assert not expected["P4_R_CM_CC"]["masses"] and expected["P1_L_CM_CC"]["masses"]


def test_error_without_openpyxl_gives_advice(home, monkeypatch):
    other_sets.write_sheet(home / "Radiology-manual-annotations.xlsx", SHEET)
    known = builtins.__import__

    def without(name, *arguments, **options):
        if name == "openpyxl":
            raise ImportError(name)
        return known(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UserError, match=r"pip install '.\[xlsx\]'"):
        cdd_cesm.scan(home)


def test_a_damaged_workbook_and_one_without_findings_are_errors(home):
    path = home / "Radiology-manual-annotations.xlsx"
    path.write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(UserError, match="cannot be read as an Excel workbook"):
        cdd_cesm.scan(home)
    path.unlink()
    (home / "Radiology-manual-annotations.csv").write_text("Image,Kind\nP1,Mass\n")
    with pytest.raises(UserError, match="Image_name and Findings. Received: Image, Kind"):
        cdd_cesm.scan(home)


def test_empty_regions_and_missing_images_are_recorded_in_the_ledger(home):
    odd = [("P1_L_DM_CC.jpg", {"name": "point", "cx": 3, "cy": 4}), ("P1_L_DM_CC.jpg", {"name": "circle", "cx": 3}),
           ("P1_L_DM_CC.jpg", POLYGON), ("P6_L_DM_CC.jpg", POLYGON)]  # fmt: skip
    other_sets.write_cesm(home, odd)
    (home / "Low energy images of CDD-CESM" / "P6_L_DM_CC.jpg").unlink()
    _, _, ledger = other_sets.read_all(cdd_cesm, home)
    assert {name: row.action for name, row in ledger.items()} == {
        "P1_L_DM_CC_1": Action.SKIPPED_EMPTY, "P1_L_DM_CC_2": Action.SKIPPED_EMPTY, "P1_L_DM_CC_3": Action.USED,
        "P6_L_DM_CC_1": Action.SKIPPED_MISSING}  # fmt: skip
    assert "point" in ledger["P1_L_DM_CC_1"].detail and "cannot be read" in ledger["P1_L_DM_CC_2"].detail


def test_a_rotated_ellipse_is_drawn():
    shape = {"name": "ellipse", "cx": 50, "cy": 50, "rx": 9.7, "ry": 20.3}
    upright, _ = cesm_regions.draw(json.dumps(shape), (101, 101))
    turned, _ = cesm_regions.draw(json.dumps(shape | {"theta": np.pi / 2}), (101, 101))
    assert upright.sum() == pytest.approx(np.pi * 9.7 * 20.3, rel=0.03)
    np.testing.assert_array_equal(turned, upright.T)


def test_a_table_of_another_format_is_an_error(home):
    (home / "Radiology_hand_drawn_segmentations_v2.csv").write_text("name,region\nP1_L_DM_CC.jpg,{}\n")
    with pytest.raises(UserError, match="#filename and region_shape_attributes"):
        cdd_cesm.scan(home)


def square(x, y, side=20):
    return {"name": "polygon", "all_points_x": [x, x + side, x + side, x], "all_points_y": [y, y, y + side, y + side]}


def test_a_region_outside_its_image_is_ambiguous(tmp_path):
    regions = [(f"P{number}_L_DM_CC.jpg", square(20, 30)) for number in range(1, 21)]
    other_sets.write_cesm(tmp_path, [*regions, ("P30_L_DM_CC.jpg", square(20, 300))])
    _, _, ledger = other_sets.read_all(cdd_cesm, tmp_path)
    row = ledger["P30_L_DM_CC_1"]
    assert row.action is Action.SKIPPED_AMBIGUOUS and "exceeds the image of 120 x 80" in row.detail
    assert ledger["P1_L_DM_CC_1"].action is Action.USED


def test_all_regions_of_a_resized_set_are_ambiguous(tmp_path):
    """Outlines that still lie on their smaller pictures are displaced as well."""
    places = [(10, 20), (50, 90), (200, 30), (20, 150)]
    other_sets.write_cesm(tmp_path, [(f"P{k}_L_DM_CC.jpg", square(*place)) for k, place in enumerate(places, 1)])
    with pytest.raises(UserError, match="no image with an outlined mass"):
        cdd_cesm.scan(tmp_path)
    other_sets.write_cesm(tmp_path, [(f"P{k}_L_DM_CC.jpg", square(*place)) for k, place in enumerate(places, 1)],
                          size=(240, 300))  # fmt: skip
    _, _, ledger = other_sets.read_all(cdd_cesm, tmp_path)
    assert {row.action for row in ledger.values()} == {Action.USED}


def test_rectangles_are_drawn_and_damaged_regions_reported():
    mask, name = cesm_regions.draw('{"name": "rect", "x": 5, "y": 10, "width": 8, "height": 4}', (40, 30))
    rows, columns = np.nonzero(mask)
    assert (name, rows.min(), rows.max(), columns.min(), columns.max()) == ("rect", 10, 14, 5, 13)
    for region in ("{", "[]", "3", '{"name": "polygon"}', '{"name": "circle", "cx": "a", "cy": 1, "r": 2}', "null"):
        mask, detail = cesm_regions.draw(region, (40, 30))
        assert not mask.any() and "cannot be read" in detail
