"""The package's metadata and the pinned versions belong together."""

import importlib
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PINS = re.findall(r"^[^#\n].*$", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE)


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_constraints_are_versions_and_nothing_else():
    strange = [line for line in PINS if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*", line)]
    assert not strange


def test_everything_asked_for_is_pinned():
    extras = PROJECT["optional-dependencies"]
    pinned = extras.keys() - {"gpu", "benchmark", "profile"}  # for whoever has the machine, or wants to profile
    asked = PROJECT["dependencies"] + [requirement for extra in pinned for requirement in extras[extra]]
    names = {normal(re.match(r"[A-Za-z0-9._-]+", requirement)[0]) for requirement in asked} - {"tfrespam"}
    assert names <= {normal(pin.partition("==")[0]) for pin in PINS}


@pytest.mark.parametrize("command", PROJECT["scripts"].values())
def test_console_script_exists(command):
    module, _, function = command.partition(":")
    assert callable(getattr(importlib.import_module(module), function))
