import cbis_tree
import other_sets
import pytest

from tfrespam.core.errors import UserError
from tfrespam.data.readers import busi, cbis_ddsm, cdd_cesm, folder, inbreast, mini_mias
from tfrespam.data.readers.sources import LOOKED_FOR, SOURCES, find_source


def test_each_download_is_recognised_by_its_reader(tmp_path):
    cbis_tree.write(tmp_path / "a", [cbis_tree.Entry("P_00001")], "kaggle")
    for name in ("b/AllDICOMs", "b/AllXML", "c/images", "c/masks"):
        (tmp_path / name).mkdir(parents=True)
    other_sets.write_mias(tmp_path / "d", "REFNUM\nmdb001 G CIRC B 30 30 9\n", 64)
    other_sets.write_busi(tmp_path / "e", 1, 1)
    other_sets.write_cesm(tmp_path / "f", [("P1_L_DM_CC.jpg", None)])
    found = [find_source(tmp_path / name) for name in "abcdef"]
    assert found == [cbis_ddsm, inbreast, folder, mini_mias, busi, cdd_cesm]


def test_error_for_an_unknown_folder_lists_the_expected_files(tmp_path):
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(UserError) as caught:
        find_source(tmp_path)
    for part in ("mass_case_description_train_set.csv", "AllDICOMs", "images/", "holiday.jpg"):
        assert part in str(caught.value)


def test_no_folder_is_an_error(tmp_path):
    with pytest.raises(UserError, match="not a folder"):
        find_source(tmp_path / "none")


def test_every_source_describes_the_files_it_expects():
    assert SOURCES.keys() == LOOKED_FOR.keys()
