import pytest

from tfrespam.core.errors import UserError
from tfrespam.data.readers import cesm_sheet

HEADER = "Image_name,Findings,Pathology Classification,BIRADS,Breast density (ACR)\n"


@pytest.fixture
def sheet(tmp_path):
    path = tmp_path / "tables" / "Radiology-manual-annotations.csv"
    path.parent.mkdir()

    def write(text):
        path.write_text(text)
        return path

    return write


def test_sheet_is_found_below_the_root(sheet, tmp_path):
    assert cesm_sheet.find(tmp_path) is None
    path = sheet(HEADER)
    assert cesm_sheet.find(tmp_path) == path


def test_findings_in_one_cell_or_in_several_rows_are_combined(sheet):
    known = cesm_sheet.read(sheet(HEADER + "P1_L_CM_CC,Mass $ Calcifications,malignant,4$5,B\n"
                                  "folder/p2_R_DM_MLO.jpg,Non-mass enhancement,Benign,2,a\n"
                                  "p2_R_DM_MLO,Mass enhancement,,3,\n,,,,\nP3_L_DM_CC,Normal,Normal,1,\n"))  # fmt: skip
    assert known["P1_L_CM_CC"] == {"masses": True, "others": ["Calcifications"], "pathology": "MALIGNANT",
                                   "assessment": 5, "breast_density": 2}  # fmt: skip
    assert known["P2_R_DM_MLO"] == {"masses": True, "others": ["Non-mass enhancement"], "pathology": "BENIGN",
                                    "assessment": 3, "breast_density": 1}  # fmt: skip
    assert known["P3_L_DM_CC"] == {"masses": False, "others": [], "pathology": "NORMAL", "assessment": 1,
                                   "breast_density": -1}  # fmt: skip
    assert len(known) == 3


def test_sheet_without_its_columns_is_refused(sheet):
    with pytest.raises(UserError, match="expected the columns Image_name and Findings"):
        cesm_sheet.read(sheet("Name,Findings,More\na,b,c\n"))
