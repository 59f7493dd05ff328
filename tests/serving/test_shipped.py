"""The pretrained network is found in a clone and where pip has put it."""

import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from tfrespam.serving.saved_model import fingerprint
from tfrespam.serving.shipped import shipped

ROOT = Path(__file__).parents[2]
CLONE = ROOT / "saved_models" / "pretrained" / "1"


def test_a_clone_has_it():
    assert shipped() == CLONE


def test_without_files_there_is_none(monkeypatch, tmp_path):
    monkeypatch.setattr("tfrespam.serving.shipped.CLONE", tmp_path / "none")
    monkeypatch.setattr("importlib.metadata.files", lambda _: None)
    assert shipped() is None


@pytest.mark.slow
def test_an_installation_has_it(tmp_path):
    source, target = tmp_path / "source", tmp_path / "venv"
    venv.create(target)
    for name in ("tfrespam", "saved_models/pretrained"):
        shutil.copytree(ROOT / name, source / name)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    wheel = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", tmp_path, source]
    subprocess.run(wheel, check=True)
    python = target / "bin" / "python"
    subprocess.run([sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", *tmp_path.glob("*.whl")],
                   check=True)  # fmt: skip
    code = "import sys; sys.path.append(sys.argv[1]); from tfrespam.serving.shipped import shipped; print(shipped())"
    run = subprocess.run([python, "-c", code, sysconfig.get_path("purelib")], cwd=tmp_path, capture_output=True,
                         text=True, check=True)  # fmt: skip
    found = Path(run.stdout.strip())
    assert found.is_relative_to(target) and fingerprint(found) == fingerprint(CLONE)
    assert (found / "metadata.json").exists() and (found / "model_card.md").exists()
