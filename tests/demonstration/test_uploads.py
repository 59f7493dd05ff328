import os
import time

from tfrespam.studies.demonstration.uploads import Uploads


def test_all_uploads_together_are_limited(tmp_path):
    uploads = Uploads(tmp_path / "up", 100)
    assert uploads.reserve(60) and not uploads.reserve(41) and uploads.reserve(40)
    uploads.release(60)
    (uploads.folder / "a").write_bytes(bytes(30))
    assert not uploads.reserve(31) and uploads.reserve(30)


def test_old_uploads_are_removed_to_make_room(tmp_path):
    uploads = Uploads(tmp_path / "up", 100, kept=60)
    (uploads.folder / "a").write_bytes(bytes(80))
    assert not uploads.reserve(30)
    os.utime(uploads.folder / "a", (time.time() - 61,) * 2)
    assert uploads.reserve(30)


def test_files_inside_the_folder_are_recognised(tmp_path):
    uploads = Uploads(tmp_path / "up", 100)
    assert uploads.holds(uploads.folder / "x" / "a") and not uploads.holds(tmp_path.resolve() / "other")
