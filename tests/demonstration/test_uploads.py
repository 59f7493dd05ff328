import os
import time

from tfrespam.studies.demonstration.uploads import Uploads


def test_all_uploads_together_are_limited(tmp_path):
    uploads = Uploads(tmp_path / "up", 100)
    assert uploads.reserve(60) and not uploads.reserve(41) and uploads.reserve(40)
    uploads.release(60)
    (uploads.folder / "a").write_bytes(bytes(30))
    assert not uploads.reserve(31) and uploads.reserve(30)


def test_old_uploads_are_removed(tmp_path):
    uploads = Uploads(tmp_path / "up", 100, kept=60)
    for name, age in (("old/a", 61), ("new/b", 59)):
        path = uploads.folder / name
        path.parent.mkdir()
        path.touch()
        os.utime(path, (time.time() - age,) * 2)
    uploads.sweep()
    assert sorted(path.name for path in uploads.folder.rglob("*")) == ["b", "new"]


def test_old_uploads_are_removed_in_the_background(tmp_path):
    uploads = Uploads(tmp_path / "up", 100, kept=0.05)
    path = uploads.folder / "a"
    with uploads.swept():
        path.touch()
        end = time.monotonic() + 20
        while path.exists() and time.monotonic() < end:
            time.sleep(0.02)
    assert not path.exists()


def test_files_inside_the_folder_are_recognised(tmp_path):
    uploads = Uploads(tmp_path / "up", 100)
    assert uploads.holds(uploads.folder / "x" / "a") and not uploads.holds(tmp_path.resolve() / "other")
