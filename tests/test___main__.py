"""`tfrespam <stage>`: help, version, start of a stage, and an unknown name."""

import subprocess
import sys
from importlib.metadata import version

import pytest

import tfrespam.prepare
from tfrespam import __main__ as command
from tfrespam.core import provenance


def tfrespam_command(*args: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-m", "tfrespam", *args], capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("args", [["--help"], ["-h"], []])
def test_help_lists_every_stage(args, capsys):
    command.main(args)
    told = capsys.readouterr().out
    for name in command.STAGES:
        assert f"\n  {name} " in told
    assert "Read mammograms and masks" in told


def test_help_imports_nothing_heavy():
    code = ("import sys; from tfrespam.__main__ import main; main(['--help']); "
            "heavy = {'tensorflow', 'keras', 'numpy', 'scipy', 'matplotlib'} & set(sys.modules); "
            "sys.exit(f'imported: {heavy}' if heavy else 0)")  # fmt: skip
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert answer.returncode == 0, answer.stderr


@pytest.mark.parametrize("stage", command.STAGES)
def test_stage_help_imports_nothing_heavy(stage):
    code = ("import atexit, os, sys; from tfrespam.__main__ import main\n"
            "heavy = ('tensorflow', 'keras', 'scipy', 'matplotlib')\n"
            "atexit.register(lambda: os._exit(9) if any(name in sys.modules for name in heavy) else None)\n"
            f"main(['{stage}', '--help'])")  # fmt: skip
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert answer.returncode == 0, answer.stderr
    assert "usage:" in answer.stdout


def test_version(capsys):
    command.main(["--version"])
    assert capsys.readouterr().out == f"tfrespam {version('tfrespam')}\n"


def test_unknown_stage_names_the_known_ones():
    answer = tfrespam_command("trian")
    assert answer.returncode == 2
    assert answer.stderr.startswith("error: unknown stage. Expected one of prepare, train,")
    assert "Received: 'trian'" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_stage_gets_its_arguments_and_its_own_name(monkeypatch):
    seen = []
    monkeypatch.setattr(sys, "argv", ["tfrespam", "prepare", "--source", "films"])
    monkeypatch.setattr(tfrespam.prepare, "main", lambda: seen.append(provenance.command()))
    command.main()
    assert seen == ["python -m tfrespam.prepare --source films"]


def test_stage_errors_keep_their_exit_status():
    answer = tfrespam_command("prepare", "--source", "no-such-folder")
    assert answer.returncode == 2
    assert "no-such-folder" in answer.stderr
    assert "Traceback" not in answer.stderr
