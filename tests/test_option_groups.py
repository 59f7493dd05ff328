"""Headings and usage line of --help."""

import subprocess
import sys

import pytest

from tfrespam import cli
from tfrespam.__main__ import STAGES


def convert(*images: str, output: str, size: int = 8, size_unit: str = "px", host: str = "localhost") -> None:
    """Converts images.

    Args:
        images: Files to convert.
        output: Folder.
        size: Side.
        size_unit: Unit of it.
        host: Where.
    """


def shown(capsys, **arguments) -> str:
    with pytest.raises(SystemExit) as exit:
        cli.run(convert, ["--help"], **arguments)
    assert exit.value.code == 0
    return capsys.readouterr().out


def headings(text: str) -> dict[str, list[str]]:
    """Heading -> options below it."""
    found: dict[str, list[str]] = {}
    for text_line in text.splitlines():
        if text_line.endswith(":") and not text_line.startswith(" "):
            found[text_line[:-1]] = []
        elif text_line.startswith("  -") and found:
            found[list(found)[-1]].append(text_line.split()[0].rstrip(","))
    return found


def test_options_stand_under_their_headings_in_order(capsys):
    found = headings(shown(capsys, groups={"Size": ("size*",), "Server": ("host",)}))
    assert found["Options"] == ["--output"]
    assert found["Size"] == ["--size", "--size_unit"] and found["Server"] == ["--host"]
    assert list(found)[-1] == "Help and settings files" and "--config" in found["Help and settings files"]


def test_each_option_is_listed_once_under_its_first_heading(capsys):
    found = headings(shown(capsys, groups={"Size": ("size",), "All": ("size*", "host")}))
    assert found["Size"] == ["--size"] and found["All"] == ["--size_unit", "--host"]


def test_the_docstring_is_not_repeated_as_a_heading(capsys):
    text = shown(capsys)
    assert text.count("Converts images") == 1 and "Files to convert." in text


def test_the_usage_line_names_what_is_required(capsys):
    usage = shown(capsys).splitlines()[0]
    assert usage.endswith("IMAGE [IMAGE ...] --output OUTPUT [options]")


@pytest.mark.parametrize("name", ["predict", "train", "compare"])
def test_each_option_pattern_matches_an_option(name):
    text = subprocess.run([sys.executable, "-m", STAGES[name], "--help"], capture_output=True, text=True).stdout
    assert text.startswith(f"usage: python -m tfrespam.{name} ")
    found = headings(text)
    wanted = {"predict": "DICOM", "train": "TensorBoard", "compare": "TensorBoard"}[name]
    assert found[wanted]
    empty = [heading for heading, options in found.items() if not options]
    assert set(empty) <= {"positional arguments"}
