import os
import time
from concurrent.futures import ThreadPoolExecutor

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


def test_two_sweeps_at_once_do_not_fail(tmp_path):
    swept = SweptFolder(tmp_path / "up", kept=0)
    for _ in range(20):
        for number in range(30):
            (swept.folder / f"{number}" / "inner").mkdir(parents=True)
            (swept.folder / f"{number}" / "inner" / "file").touch()
        with ThreadPoolExecutor(2) as both:
            for sweep in [both.submit(swept.sweep) for _ in range(2)]:
                sweep.result()
        swept.sweep()
        assert not swept.content()


def test_old_files_are_removed_in_the_background(tmp_path):
    swept = SweptFolder(tmp_path / "up", kept=0.05)
    path = swept.folder / "a"
    with swept.swept():
        path.touch()
        end = time.monotonic() + 20
        while path.exists() and time.monotonic() < end:
            time.sleep(0.02)
    assert not path.exists() and swept.folder.exists()
