"""The pretrained network is found in a clone and in an installation by pip."""

import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from tfrespam.serving.inference.pretrained import shipped
from tfrespam.serving.inference.saved_model import fingerprint

ROOT = Path(__file__).parents[2]
CLONE = ROOT / "saved_models" / "pretrained" / "2"


def test_a_clone_contains_the_pretrained_model():
    assert shipped() == CLONE


def test_without_files_there_is_no_pretrained_model(monkeypatch, tmp_path):
    monkeypatch.setattr("tfrespam.serving.inference.pretrained.CLONE", tmp_path / "none")
    monkeypatch.setattr("importlib.metadata.files", lambda _: None)
    assert shipped() is None


@pytest.mark.slow
def test_an_installed_wheel_contains_the_pretrained_model(tmp_path):
    source, target = tmp_path / "source", tmp_path / "venv"
    venv.create(target)
    for name in ("tfrespam", "saved_models/pretrained", "saved_models/films"):
        shutil.copytree(ROOT / name, source / name)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    wheel = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", tmp_path, source]
    subprocess.run(wheel, check=True)
    python = target / "bin" / "python"
    subprocess.run([sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", *tmp_path.glob("*.whl")],
                   check=True)  # fmt: skip
    code = ("import sys; sys.path.append(sys.argv[1]); from tfrespam.serving.inference.pretrained import shipped; "
            "print(shipped())")
    run = subprocess.run([python, "-c", code, sysconfig.get_path("purelib")], cwd=tmp_path, capture_output=True,
                         text=True, check=True)  # fmt: skip
    found = Path(run.stdout.strip())
    assert found.is_relative_to(target) and fingerprint(found) == fingerprint(CLONE)
    assert (found / "metadata.json").exists() and (found / "model_card.md").exists()
