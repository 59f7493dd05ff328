"""The metadata of the package and the pinned versions are consistent."""

import importlib
import importlib.metadata
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PINS = re.findall(r"^[^#\n].*$", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE)


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_constraints_contain_only_versions():
    strange = [line for line in PINS if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*", line)]
    assert not strange


def test_all_dependencies_are_pinned():
    extras = PROJECT["optional-dependencies"]
    pinned = extras.keys() - {"gpu", "benchmark", "profile"}  # for whoever has the machine, or wants to profile
    asked = PROJECT["dependencies"] + [requirement for extra in pinned for requirement in extras[extra]]
    names = {normal(re.match(r"[A-Za-z0-9._-]+", requirement)[0]) for requirement in asked} - {"tfrespam"}
    assert names <= {normal(pin.partition("==")[0]) for pin in PINS}


def test_every_place_has_the_same_range_of_python_versions():
    listed = [each.rpartition(".")[2] for each in PROJECT["classifiers"] if "Python :: 3." in each]
    first, last = int(listed[0]), int(listed[-1])
    assert PROJECT["requires-python"] == f">=3.{first},<3.{last + 1}"
    assert f"(3, {first}) <= sys.version_info < (3, {last + 1})" in (ROOT / "Makefile").read_text(encoding="utf-8")
    assert f"Python 3.{first} to 3.{last}" in (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("command", PROJECT["scripts"].values())
def test_console_script_exists(command):
    module, _, function = command.partition(":")
    assert callable(getattr(importlib.import_module(module), function))


def command_of(target: str) -> list[str]:
    """Return the command that `make` runs for a target, also if the tests run under `make` themselves."""
    venv = Path(sys.prefix)
    outside = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    there = [word for name in (".installed", ".installed-test") for word in ("--assume-old", f"{venv}/{name}")]
    shown = subprocess.run(["make", "--dry-run", *there, f"VENV={venv}", target], cwd=ROOT, env=outside,
                           capture_output=True, text=True, check=True).stdout  # fmt: skip
    return shlex.split(shown.splitlines()[-1])


@pytest.mark.slow
def test_the_bill_of_materials_lists_the_installed_packages(tmp_path):
    """`make sbom`: CycloneDX, with versions and licences."""
    pytest.importorskip("cyclonedx_py", reason="cyclonedx-bom (extra [audit]) is not installed")
    command = command_of("sbom")
    assert command[-2:] == ["--output-file", "build/sbom.json"]
    subprocess.run([*command[:-1], str(tmp_path / "sbom.json")], cwd=ROOT, check=True, capture_output=True)
    bill = json.loads((tmp_path / "sbom.json").read_text(encoding="utf-8"))
    assert bill["bomFormat"] == "CycloneDX" and bill["metadata"]["component"]["name"] == "tfrespam"
    found = {normal(part["name"]): part for part in bill["components"]}
    for requirement in PROJECT["dependencies"]:
        name = normal(re.match(r"[A-Za-z0-9._-]+", requirement)[0])
        assert found[name]["version"] == importlib.metadata.version(name)
    assert sum("licenses" in part for part in found.values()) > 0.9 * len(found)


def test_make_audit_uses_strict_mode():
    """`make audit` needs PyPI, so only its command is tested here."""
    command = command_of("audit")
    assert command[1:3] == ["-m", "pip_audit"] and "--strict" in command
    assert command[-2:] == ["--requirement", "constraints.txt"]
