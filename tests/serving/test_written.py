import pytest

from tfrespam.core.errors import UserError
from tfrespam.core.files import write_csv
from tfrespam.serving.inference import written

ROW = {"name": "a", "file": "a.png", "area_px": 3, "status": "ok"}


def test_names_are_recorded_until_the_table_contains_them(tmp_path):
    written.claim(tmp_path, {"a": ("_mask.png",)})
    assert tmp_path / "a_mask.png" in written.files(tmp_path) and tmp_path / "a.png" not in written.files(tmp_path)
    write_csv(tmp_path / "predictions.csv", [ROW])
    written.settle(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["predictions.csv"]
    assert tmp_path / "a_seg.dcm" in written.files(tmp_path)


def test_files_of_the_user_are_rejected_but_earlier_results_are_accepted(tmp_path):
    (tmp_path / "a_mask.png").touch()
    with pytest.raises(UserError, match="a_mask.png exists and was not written by predict"):
        written.claim(tmp_path, {"a": ("_mask.png",)})
    (tmp_path / "a_mask.png").unlink()
    written.claim(tmp_path, {"a": ("_mask.png",)})
    (tmp_path / "a_mask.png").touch()
    written.claim(tmp_path, {"a": ("_mask.png",)})


@pytest.mark.parametrize("name", ["predictions.csv", "candidates.csv"])
def test_tables_of_the_user_are_rejected(tmp_path, name):
    (tmp_path / name).write_text("file,note\na.png,mine\n")
    with pytest.raises(UserError, match=name):
        written.claim(tmp_path, {})
