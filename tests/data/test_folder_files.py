from pathlib import Path

import pytest

from tfrespam.data.readers.folder_files import Pair, holds_dicom, identifier, images, pairs, stem
from tfrespam.data.readers.records import Action


@pytest.fixture
def root(tmp_path):
    for name in ("images/a.png", "masks/a.tif", "images/sub/b.jpg", "masks/c.png", "images/d.png", "images/d.jpg",
                 "masks/d.png", "images/notes.txt", "images/.hidden.png"):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def test_images_and_masks_of_equal_name_are_paired_and_the_rest_reported(root):
    found, ledger = pairs(root, {"e"})
    assert found == [Pair("a", "images/a.png", "masks/a.tif")]
    told = {row.lesion_id: (row.action, row.detail) for row in ledger}
    assert told["images__notes.txt"][0] is Action.SKIPPED_UNREADABLE
    assert told["sub__b"] == (Action.SKIPPED_MISSING, "no mask of this name")
    assert told["c"] == (Action.SKIPPED_MISSING, "no image of this name")
    assert told["e"] == (Action.SKIPPED_MISSING, "no image and no mask of this name")
    assert told["d"][0] is Action.SKIPPED_AMBIGUOUS and "images/d.jpg, images/d.png" in told["d"][1]
    assert len(told) == 5


def test_image_names_exclude_the_suffix(root):
    assert images(root) == {"a", "sub/b", "d"} and identifier("sub/b") == "sub__b"
    assert stem("sub/1.2.840.10008") == "sub/1.2.840.10008" and stem("sub/b.PNG") == "sub/b"


def test_dicom_is_detected_by_suffix_or_first_bytes(tmp_path):
    (tmp_path / "1.2").write_bytes(bytes(128) + b"DICM")
    (tmp_path / "3.4").write_bytes(b"text")
    assert holds_dicom(Path("a.dcm")) and holds_dicom(tmp_path / "1.2")
    assert not holds_dicom(tmp_path / "3.4") and not holds_dicom(Path("missing")) and not holds_dicom(Path("a.png"))


def test_a_folder_and_a_file_with_one_identifier_are_ambiguous(tmp_path):
    for name in ("a/b", "a__b", "c"):
        for kind in ("images", "masks"):
            (tmp_path / kind / f"{name}.png").parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / kind / f"{name}.png").touch()
    found, ledger = pairs(tmp_path, set())
    assert [each.name for each in found] == ["c"]
    assert [(row.lesion_id, row.action) for row in ledger] == [("a__b", Action.SKIPPED_AMBIGUOUS)] * 2
    (tmp_path / "masks" / "a__b.png").unlink()  # what gives no example is in nobody's way
    assert [each.name for each in pairs(tmp_path, set())[0]] == ["a/b", "c"]
