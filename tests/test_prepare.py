import os
import shutil
import signal
import subprocess
import sys
import time

import cbis_tree
import pytest
from cbis_tree import Entry

from tfrespam import cli
from tfrespam.prepare import prepare


@pytest.mark.parametrize(("lost", "options", "status"), [
    (1, [], 0), (2, [], 3), (2, ["--allow_missing"], 0), (9, [], 3),
])  # fmt: skip
def test_an_incomplete_download_is_reported_with_status_3(tmp_path, capsys, lost, options, status):
    """Ten lesions of the training list, and one of the test list that was not downloaded."""
    entries = [Entry(f"P_{number:05}") for number in range(10)]
    cbis_tree.write(tmp_path / "in", [*entries, Entry("P_00099", split="Test")])
    for path, _ in Entry("P_00099", split="Test").places():
        next((tmp_path / "in").rglob(path)).unlink()
    for entry in entries[:lost]:
        next((tmp_path / "in").rglob(entry.places()[0][0])).unlink()
    command = ["--source", str(tmp_path / "in"), "--data_dir", str(tmp_path / "home"), "--image_size", "32",
               "--workers", "1", *options]  # fmt: skip
    for _ in range(2):  # the second time nothing is read, and the same is missing
        with pytest.raises(SystemExit) as stop:
            cli.run(prepare, command)
            raise SystemExit(0)
        said = capsys.readouterr().err
        assert stop.value.code == status
        assert (f"film or mask of {lost} of 10 listed lesions is missing" in said) == (status == 3)
    assert list((tmp_path / "home").rglob("dataset.json"))


@pytest.mark.parametrize(("options", "expected"), [
    (["--source", "{tmp}/nowhere"], "--source must be a folder that exists. Received: {tmp}/nowhere"),
    (["--source", "{tmp}/empty"], "{tmp}/empty is not a data set that this software can read"),
    (["--source", "{tmp}/file"], "--source must be a folder that exists. Received: {tmp}/file"),
    (["--source", "{tmp}/empty", "--context", "0.9"],
     "--context must be at least 1 (the lesion's own box). Received: 0.9"),
    (["--source", "{tmp}/empty", "--context", "nan"], 'option "context"'),
    (["--source", "{tmp}/empty", "--image_size", "16"], "--image_size must be at least 32 pixels. Received: 16"),
    (["--source", "{tmp}/empty", "--workers", "0"], "--workers must be 1 or more. Received: 0"),
    (["--source", "{tmp}/empty", "--view", "half"], "half"),
    (["--source", "{tmp}/empty", "--contxt", "1.5"], "contxt"),
    (["--source", "{tmp}/empty", "--image_size", "big"], "image_size"),
    ([], "source"),
])  # fmt: skip
def test_errors_are_messages_with_status_2(tmp_path, capsys, options, expected):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit) as stop:
        cli.run(prepare, [option.format(tmp=tmp_path) for option in options])
    out, err = capsys.readouterr()
    assert stop.value.code == 2 and "Traceback" not in err and out == ""
    assert expected.format(tmp=tmp_path) in err


def test_errors_of_the_command_have_no_traceback(tmp_path):
    command = [sys.executable, "-m", "tfrespam.prepare", "--source", str(tmp_path / "nowhere")]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert result.returncode == 2 and result.stdout == ""
    assert result.stderr.splitlines() == [f"error: --source must be a folder that exists. Received: {tmp_path}/nowhere"]


def interrupted(command, home):
    """Send Ctrl-C as soon as TFDS has begun to write; return stdout, stderr and status."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen(command, start_new_session=True, **pipes)
    while process.poll() is None and not list(home.rglob("incomplete.*")):
        time.sleep(0.02)
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGINT)
    return *process.communicate(timeout=120), process.returncode


@pytest.mark.slow
def test_ctrl_c_ends_prepare_without_traceback_or_partial_files(download, tmp_path):
    command = [sys.executable, "-m", "tfrespam.prepare", "--source", str(download), "--data_dir", str(tmp_path),
               "--image_size", "32"]  # fmt: skip
    for _ in range(3):  # a quick machine may be done before it is interrupted
        out, err, status = interrupted(command, tmp_path)
        if "Next:" not in out:
            break
        shutil.rmtree(tmp_path / "phantom")
    assert status == 130 and "interrupted: finished work is kept" in err
    assert "Traceback" not in err
    assert not list(tmp_path.rglob("*.tfrecord*")) and not list(tmp_path.rglob("*partial*"))
