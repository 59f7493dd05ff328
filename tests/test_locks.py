import multiprocessing
import os
import subprocess
import sys
import time

import pytest

from tfrespam.core.errors import UserError
from tfrespam.core.locks import alone, hold, in_turn, is_at, locked_folder, only_one, remove_unlocked


def wait_with_lock(path, ready):
    with alone(path):
        ready.set()
        time.sleep(60)


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_lock_is_released_when_its_holder_is_killed(tmp_path, kind):
    path = tmp_path if kind == "folder" else tmp_path / ".lock"
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    process = context.Process(target=wait_with_lock, args=(path, ready))
    process.start()
    assert ready.wait(60)
    with alone(path) as free:
        assert not free
    process.kill()
    process.join()
    with alone(path) as free:
        assert free


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_second_holder_is_refused_with_advice(tmp_path, kind):
    path = tmp_path if kind == "folder" else tmp_path / ".lock"
    refused = pytest.raises(UserError, match="in use by another process. Wait for it")
    with only_one(path, "Wait for it"), refused, only_one(path, "Wait for it"):
        pass


def test_in_turn_creates_and_locks_the_folder(tmp_path):
    with in_turn(tmp_path / "new" / "folder"), alone(tmp_path / "new" / "folder") as free:
        assert not free


def test_folders_without_a_lock_are_removed(tmp_path):
    (tmp_path / "work-left").mkdir()
    (tmp_path / "work-left" / "file").touch()
    (tmp_path / "other").mkdir()
    with locked_folder(tmp_path, "work-") as folder:
        (folder / "file").touch()
        remove_unlocked(tmp_path, "work-")
        assert sorted(os.listdir(tmp_path)) == sorted(["other", folder.name]) and os.listdir(folder) == ["file"]
    assert os.listdir(tmp_path) == ["other"]


def test_removed_file_is_not_at_its_path(tmp_path):
    path = tmp_path / "file"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    assert is_at(descriptor, path) and hold(descriptor)
    path.unlink()
    assert not is_at(descriptor, path)
    path.touch()
    assert not is_at(descriptor, path)
    os.close(descriptor)


REMOVER = """
import sys
from pathlib import Path
from tfrespam.core.errors import UserError
from tfrespam.core.locks import only_one, remove_locked
folder = Path(sys.argv[1])
for _ in range(300):
    try:
        with only_one(folder / ".lock", ""):
            (folder / "alone").mkdir()  # fails if another process also holds the lock
            remove_locked(folder)
    except UserError:  # another process holds the lock
        pass
"""


def test_a_lock_on_a_removed_file_does_not_count(tmp_path):
    removers = [subprocess.Popen([sys.executable, "-c", REMOVER, str(tmp_path / "run")]) for _ in range(3)]
    assert [remover.wait(120) for remover in removers] == [0] * 3 and not os.listdir(tmp_path)
