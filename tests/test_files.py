import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tfrespam.core import files
from tfrespam.core.errors import UserError
from tfrespam.core.files import (
    by_relative_path,
    recover_directory,
    whole_directory,
    whole_file,
    write_csv,
    write_json,
)


@pytest.fixture
def umask():
    old = os.umask(0o027)
    yield
    os.umask(old)


def permissions(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_whole_file_appears_only_when_complete(tmp_path, umask):
    path = tmp_path / "new" / "a.txt"
    with whole_file(path) as temporary:
        temporary.write_text("half")
        assert not path.exists() and temporary.parent == path.parent and temporary.suffix == ".txt"
        temporary.write_text("whole")
    assert path.read_text() == "whole" and permissions(path) == 0o640
    assert os.listdir(path.parent) == ["a.txt"]


def test_whole_file_keeps_existing_file_on_error(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError, match="stop"), whole_file(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError("stop")
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["a.txt"]
    with whole_file(path) as temporary:
        temporary.write_text("new")
    assert path.read_text() == "new"


KILLED = """
import os, signal, sys
from tfrespam.core.files import whole_directory, whole_file
kind = {"file": whole_file, "directory": whole_directory}[sys.argv[1]]
with kind(sys.argv[2]) as temporary:
    (temporary if sys.argv[1] == "file" else temporary / "part").write_text("much longer than what comes later")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def kill_while_writing(kind, path):
    result = subprocess.run([sys.executable, "-c", KILLED, kind, str(path)])
    assert result.returncode == -signal.SIGKILL and not path.exists() and len(os.listdir(path.parent)) == 1


def test_whole_file_overwrites_leftover_of_killed_process(tmp_path):
    path = tmp_path / "a [1].txt"
    kill_while_writing("file", path)
    with whole_file(path) as temporary:
        assert temporary.read_text() == ""
        temporary.write_text("short")
    assert path.read_text() == "short" and os.listdir(tmp_path) == [path.name]


def test_whole_directory_removes_leftover_of_killed_process(tmp_path):
    path = tmp_path / "a [1]"
    kill_while_writing("directory", path)
    with whole_directory(path) as temporary:
        assert os.listdir(temporary) == []
        (temporary / "b").touch()
    assert os.listdir(tmp_path) == [path.name] and os.listdir(path) == ["b"]


def test_whole_directory_appears_only_when_complete(tmp_path, umask):
    path = tmp_path / "home" / "data"
    for content in ("one", "two"):
        with whole_directory(path) as temporary:
            (temporary / content).touch()
            assert not (path / content).exists()
        assert os.listdir(path) == [content] and permissions(path) == 0o750
    assert os.listdir(path.parent) == ["data"]


def test_whole_directory_keeps_existing_folder_on_error(tmp_path):
    path = tmp_path / "data"
    (path / "old").mkdir(parents=True)
    with pytest.raises(KeyboardInterrupt), whole_directory(path) as temporary:
        (temporary / "half").touch()
        raise KeyboardInterrupt
    assert os.listdir(path) == ["old"] and os.listdir(tmp_path) == ["data"]


def test_whole_directory_keeps_folders_that_others_write(tmp_path):
    path = tmp_path / "data"
    with whole_directory(path) as first:
        (first / "first").touch()
        with whole_directory(path) as second:
            assert first.exists()
            (second / "second").touch()
        assert os.listdir(path) == ["second"]
    assert os.listdir(path) == ["first"] and os.listdir(tmp_path) == ["data"]


WRITER = """
import sys
from tfrespam.core.files import whole_directory, whole_file
kind, path, number = sys.argv[1:]
for count in range(100):
    with {"file": whole_file, "directory": whole_directory}[kind](path) as temporary:
        (temporary if kind == "file" else temporary / "part").write_text(number * 100_000)
"""


@pytest.mark.parametrize("kind", ["file", "directory"])
def test_concurrent_writers_leave_the_whole_result_of_one(tmp_path, kind):
    path = tmp_path / "result"
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, kind, path, str(number)]) for number in range(4)]
    assert [writer.wait(120) for writer in writers] == [0] * 4
    text = (path if kind == "file" else path / "part").read_text()
    assert len(text) == 100_000 and len(set(text)) == 1 and os.listdir(tmp_path) == ["result"]


def test_recover_directory_after_interrupted_replacement(tmp_path):
    path = tmp_path / "state"
    (tmp_path / ".state.replaced-1").mkdir()
    (tmp_path / ".state.replaced-1" / "epoch 7").touch()
    recover_directory(path)
    assert os.listdir(tmp_path) == ["state"] and os.listdir(path) == ["epoch 7"]
    (tmp_path / ".state.replaced-2").mkdir()
    (tmp_path / ".state.replaced-2" / "epoch 6").touch()
    recover_directory(path)
    assert os.listdir(path) == ["epoch 7"]
    with whole_directory(path):
        pass
    assert os.listdir(tmp_path) == ["state"] and os.listdir(path) == []


def test_write_json_converts_numpy_paths_and_nan(tmp_path):
    value = {"a": np.float32("nan"), "b": [np.int64(3), float("nan"), (1.5, None)], 4: np.array([[0.5], [np.nan]]),
             "p": tmp_path, "t": "ä", "n": {"x": np.bool_(True)}}  # fmt: skip
    write_json(tmp_path / "a.json", value)
    assert json.loads((tmp_path / "a.json").read_text()) == {
        "a": None, "b": [3, None, [1.5, None]], "4": [[0.5], [None]], "p": str(tmp_path), "t": "ä", "n": {"x": True}}


def test_write_json_keeps_old_file_on_error(tmp_path):
    write_json(tmp_path / "a.json", {"old": 1})
    with pytest.raises(TypeError):
        write_json(tmp_path / "a.json", {"new": object()})
    assert json.loads((tmp_path / "a.json").read_text()) == {"old": 1} and os.listdir(tmp_path) == ["a.json"]


def test_write_csv_quotes_special_characters(tmp_path):
    rows = [{"name": 'a,"b"', "value": 1.5}, {"name": "line\nbreak", "value": ""}]
    write_csv(tmp_path / "a.csv", rows)
    assert (tmp_path / "a.csv").read_bytes() == b'name,value\r\n"a,""b""",1.5\r\n"line\nbreak",\r\n'
    write_csv(tmp_path / "a.csv", [], ["name"])
    assert (tmp_path / "a.csv").read_text() == "name\n"


def test_json_that_is_not_an_object_is_damaged(tmp_path):
    (tmp_path / "a.json").write_text("[]")
    with pytest.raises(UserError, match="an object was expected, not list"):
        files.read_json(tmp_path / "a.json", "Remove it")


def test_paths_are_named_relative_to_their_common_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folders = [Path("runs/a/validation"), tmp_path / "runs" / "b" / "validation"]
    assert by_relative_path(folders) == dict(zip(("a/validation", "b/validation"), folders, strict=True))
    assert list(by_relative_path([Path("films/fold0"), Path("films/fold1")])) == ["fold0", "fold1"]
    assert list(by_relative_path([Path("fold0"), Path("fold0")])) == ["fold0"]
