import pytest

from tfrespam.core.errors import UserError
from tfrespam.data.readers.folder_patients import NAME, read

IMAGES = {"a", "sub/b"}


@pytest.fixture
def read_text(tmp_path):
    def read_text(text):
        (tmp_path / NAME).write_text(text)
        return read(tmp_path / NAME, IMAGES)

    return read_text


def test_without_a_file_there_are_no_patients_and_no_notes(tmp_path):
    assert read(tmp_path / NAME, IMAGES) == ({}, [])


def test_rows_are_matched_to_images(read_text):
    found, notes = read_text("image;patient_id;view;breast_density;assessment;split\n"
                             "images/a.png;p1;CC;b;9;test\nb.jpg;p2;;3;2;\n")  # fmt: skip
    known = {key: value for key, value in found["a"].items() if value not in ("", -1)}
    assert known == {"patient_id": "p1", "split": "test", "view": "CC", "breast_density": 2}
    assert found["a"]["pathology"] == "" and found["a"]["assessment"] == found["a"]["subtlety"] == -1
    assert found["sub/b"]["patient_id"] == "p2" and found["sub/b"]["breast_density"] == 3
    assert found["sub/b"]["split"] == "train" and found["sub/b"]["assessment"] == 2
    assert notes == [f"{NAME}: 1 cells of assessment are not numbers from 0 to 6; used as unknown"]


@pytest.mark.parametrize(("rows", "message"), [
    ("a,p1,\n", "names no patient for 1 images, so that splits could leak: sub/b"),
    ("a,p1,\nb,p2,\na.png,p3,\n", "two different rows for 'a.png'"), ("a,,\nb,p2,\n", "every row must have image"),
    ("a,p1,valid\nb,p2,\n", "split must be train, test or empty. Received: 'valid'"),
])  # fmt: skip
def test_rows_that_could_cause_leaks_are_rejected(read_text, rows, message):
    with pytest.raises(UserError, match=message):
        read_text("image,patient_id,split\n" + rows)
