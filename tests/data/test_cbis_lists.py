import pytest

from tfrespam.core.errors import UserError
from tfrespam.data.readers.cbis_lists import LIST_NAMES, NEEDED, Place, find_lists, read_list

CELLS = ("P_00001", "LEFT", "CC", "1", "Mass-Training_P_00001_LEFT_CC/1.1/1.2/000000.dcm",
         "Mass-Training_P_00001_LEFT_CC_1/2.1/2.2/000000.dcm", "Mass-Training_P_00001_LEFT_CC_1/2.1/2.2/000001.dcm\n")


def write(path, *cells, header=NEEDED):
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [header, *cells]
    path.write_text("\n".join(",".join(f'"{cell}"' for cell in row) for row in rows))
    return path


def test_shallowest_lists_are_found(tmp_path):
    deep = write(tmp_path / "a" / "b" / LIST_NAMES["train"])
    assert find_lists(tmp_path) == {"train": deep}
    shallow = write(tmp_path / LIST_NAMES["train"])
    test = write(tmp_path / "csv" / LIST_NAMES["test"])
    assert find_lists(tmp_path) == {"train": shallow, "test": test}


def test_rows_become_lesions_and_places(tmp_path):
    path = write(tmp_path / "list.csv", (*CELLS, "4", "mass"), (*CELLS, "4", "calcification"),
                 header=(*NEEDED, "assessment", "abnormality type"))  # fmt: skip
    (row,) = read_list(path, "train", "cbis_ddsm_mass")
    assert (row.lesion.lesion_id, row.lesion.film_id) == ("P_00001_LEFT_CC_1", "P_00001_LEFT_CC")
    assert (row.lesion.patient_id, row.lesion.assessment, row.lesion.subtlety) == ("P_00001", 4, -1)
    assert row.film == Place("Mass-Training_P_00001_LEFT_CC", "1.2")
    assert row.crop == row.mask == Place("Mass-Training_P_00001_LEFT_CC_1", "2.2")
    assert row.film_path == CELLS[4]


def test_other_tables_and_paths_are_refused(tmp_path):
    with pytest.raises(UserError, match="is not a CBIS-DDSM mass list"):
        read_list(write(tmp_path / "a.csv", CELLS[:6], header=NEEDED[:6]), "train", "s")
    with pytest.raises(UserError, match="expected case/study UID/series UID/file. Received: '000000.dcm'"):
        read_list(write(tmp_path / "b.csv", (*CELLS[:4], "000000.dcm", *CELLS[5:])), "train", "s")
