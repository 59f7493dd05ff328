import os

import pytest

from tfrespam.serving.inference.journal import Journal, state


@pytest.fixture
def picture(tmp_path):
    file = tmp_path / "ä.png"
    file.write_bytes(b"1")
    return file


def journal(tmp_path, files=None, **settings):
    return Journal(tmp_path / "out" / ".unfinished", {"model": "m", "box": (1, 2)} | settings, files or {})


def test_rows_are_reused_as_long_as_the_file_is_unchanged(tmp_path, picture):
    row = {"file": picture, "name": "ä", "area_px": 5}
    journal(tmp_path).add(picture, state(picture), row)
    assert journal(tmp_path).row(picture, "ä") == row | {"file": str(picture)}
    assert journal(tmp_path).row(picture, "other name") is None
    assert journal(tmp_path).row(tmp_path / "other.png", "ä") is None
    os.utime(picture, ns=(1, 1))
    assert journal(tmp_path).row(picture, "ä") is None


def test_a_name_belongs_to_the_last_file_written_under_it(tmp_path, picture):
    """Otherwise an image would get the row of an image of the same name in another folder."""
    other = tmp_path / "b" / "ä.png"
    other.parent.mkdir()
    other.touch()
    journal(tmp_path).add(picture, state(picture), {"file": picture, "name": "ä"})
    later = journal(tmp_path, {"ä": other})  # a call that replaces the pictures, killed before it notes that
    assert later.row(other, "ä") is None and journal(tmp_path).row(picture, "ä") is None
    later.add(other, state(other), {"file": other, "name": "ä"})
    assert journal(tmp_path).row(other, "ä") and journal(tmp_path).row(picture, "ä") is None


def test_other_settings_start_a_new_journal(tmp_path, picture):
    journal(tmp_path).add(picture, state(picture), {"file": picture, "name": "ä"})
    assert journal(tmp_path, model="n").row(picture, "ä") is None
    assert journal(tmp_path).row(picture, "ä") is None  # the other call has written it over


def test_a_truncated_line_is_ignored(tmp_path, picture):
    for name in ("a", "b"):
        other = tmp_path / f"{name}.png"
        other.touch()
        journal(tmp_path).add(other, state(other), {"file": other, "name": name})
    path = tmp_path / "out" / ".unfinished"
    path.write_text(path.read_text()[:-9])
    again = journal(tmp_path)
    assert again.row(tmp_path / "a.png", "a") and again.row(tmp_path / "b.png", "b") is None
    again.add(picture, state(picture), {"file": picture, "name": "c"})
    assert journal(tmp_path).row(picture, "c")


def test_the_journal_is_removed_when_all_is_done(tmp_path, picture):
    done = journal(tmp_path)
    done.add(picture, state(picture), {"file": picture, "name": "ä"})
    done.close()
    assert os.listdir(tmp_path / "out") == [] and journal(tmp_path).row(picture, "ä") is None


def test_a_file_that_changes_while_it_is_segmented_is_segmented_again(tmp_path, picture):
    """Its state is noted before it is read; a file that was removed meanwhile does not end the call."""
    read = state(picture)
    os.utime(picture, ns=(1, 1))
    journal(tmp_path).add(picture, read, {"file": picture, "name": "ä"})
    assert journal(tmp_path).row(picture, "ä") is None
    picture.unlink()
    journal(tmp_path).add(picture, state(picture), {"file": picture, "name": "ä"})
    assert state(picture) == [] and journal(tmp_path).row(picture, "ä") is None
