"""The reference pages match the docstrings and contain every public name."""

import importlib.util
import inspect
import re
from pathlib import Path

import pytest

import tfrespam as tr

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def pages():
    spec = importlib.util.spec_from_file_location("make_reference", ROOT / "docs" / "make_reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.pages()


def test_the_pages_are_up_to_date(pages):
    for name, text in pages.items():
        stored = (ROOT / "docs" / "reference" / f"{name}.md").read_text(encoding="utf-8")
        assert stored == text, f"docs/reference/{name}.md is out of date: python docs/make_reference.py"


def test_every_public_name_has_an_entry(pages):
    for room in ("layers", "losses", "metrics", "data"):
        for name in getattr(tr, room).__all__:
            assert f"## `{name}`" in pages[room], f"tfrespam.{room}.{name}"
    for name in ("build_model", "load_model", "export", "evaluate", "predict"):
        assert f"## `{name}`" in pages["library"]
    for name, builder in tr.models.BUILDERS.items():
        if builder.__module__.startswith("tfrespam."):  # not what tests add
            assert f"## `{name}`" in pages["models"]


def test_every_option_of_a_network_is_explained(pages):
    for name, builder in tr.models.BUILDERS.items():
        if builder.__module__.startswith("tfrespam."):
            entry = pages["models"].partition(f"\n## `{name}`\n")[2].partition("\n## ")[0]
            rows = re.findall(r"^- `([^`]+)`:", entry, re.MULTILINE)
            explained = {option for row in rows for option in row.split(", ")}
            missing = inspect.signature(builder).parameters.keys() - explained
            assert not missing, f"{name}: {missing}"


def test_every_command_has_its_options(pages):
    from tfrespam.__main__ import STAGES

    for name, module in STAGES.items():
        _, found, entry = pages["commands"].partition(f"\n## `{name}`\n")
        assert found, name
        options = re.findall(r"^\| `(--\w+|[A-Z]+ \.\.\.)`", entry.partition("\n## ")[0], re.MULTILINE)
        function = getattr(importlib.import_module(module), name)
        taken = [each for each in inspect.signature(function).parameters.values() if each.kind is not each.VAR_KEYWORD]
        if name == "compare":
            taken = list(inspect.signature(importlib.import_module("tfrespam.studies.comparison.plan").Comparison)
                         .parameters.values())  # fmt: skip
        if name == "train":
            taken = [each for each in taken if each.name in ("folds", "seeds", "final")]
        assert options == [f"{each.name.upper()} ..." if each.kind is each.VAR_POSITIONAL else f"--{each.name}"
                           for each in taken], name  # fmt: skip


def test_pages_contain_no_generator_directives(pages):
    assert not any(":::" in text for text in pages.values())
