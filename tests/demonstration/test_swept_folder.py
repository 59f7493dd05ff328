import os
import time

from tfrespam.studies.demonstration.swept_folder import SweptFolder


def aged(path, age):
    os.utime(path, (time.time() - age,) * 2)


def test_old_files_and_empty_folders_are_removed(tmp_path):
    swept = SweptFolder(tmp_path / "up", kept=60)
    for name, age in (("old/a", 61), ("new/b", 59)):
        path = swept.folder / name
        path.parent.mkdir()
        path.touch()
        aged(path, age)
        aged(path.parent, age)
    for name, age in (("empty", 61), ("unwritten", 59)):
        (swept.folder / name).mkdir()
        aged(swept.folder / name, age)
    swept.sweep()
    assert sorted(path.name for path in swept.folder.rglob("*")) == ["b", "new", "unwritten"]


def test_old_files_are_removed_in_the_background(tmp_path):
    swept = SweptFolder(tmp_path / "up", kept=0.05)
    path = swept.folder / "a"
    with swept.swept():
        path.touch()
        end = time.monotonic() + 20
        while path.exists() and time.monotonic() < end:
            time.sleep(0.02)
    assert not path.exists() and swept.folder.exists()
