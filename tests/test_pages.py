"""Commands on the pages have valid options and values; files, Python names, extras and make targets exist."""

import ast
import importlib
import re
import shlex
import sys
import tomllib
from pathlib import Path

import pytest

from tfrespam import __main__ as command
from tfrespam import cli
from tfrespam.core.arguments import parse
from tfrespam.models import BUILDERS

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("*/README.md"),
                *ROOT.glob("datasets/*/README.md"), *ROOT.glob("experiments/results/**/README.md")])  # fmt: skip
EXPERIMENTS = sorted((ROOT / "experiments").glob("*.yaml"))
PLACEHOLDERS = {"K": "0", "Y0": "0", "X0": "0", "Y1": "9", "X1": "9", "VIEWS": "none"}
PACKED = ("tfrespam", "tests", "docs", "experiments", "serving", "containers", "launch")  # folders that git holds
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def commands(text: str) -> list[tuple[str, list[str]]]:
    """Return program (a stage or a script's path) and words of each command with arguments, in blocks and sentences."""
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r"\\\n *", " ", text)  # commands of several lines
    found = re.findall(r"python (?:-m tfrespam\.(\w+)|([a-z]+/\S+\.py)) ([^\n`|]*)", text)
    return [(stage or script, _words(rest)) for stage, script, rest in found]


def _words(rest: str) -> list[str]:
    """Words up to a comment or the next command; placeholders get a value."""
    words = shlex.split(re.split(r"\s#|&&", rest)[0])
    return [PLACEHOLDERS.get(word, word) for word in words]


def parsed(stage: str, words: list[str], monkeypatch) -> None:
    """Parse a command as the stage does, without running it. Raises UserError for an unknown option or value."""
    def only_parse(function, args=None, signature=None, defaults=None, groups=None):
        parse(signature or function, args, None, defaults, groups)

    module = importlib.import_module(command.STAGES[stage])
    monkeypatch.setattr(cli, "run", only_parse)
    monkeypatch.setattr(sys, "argv", [module.__file__, *words])
    module.main()


def _without_missing_files(words: list[str]) -> list[str]:
    """Words without `--config FILE` where the page's reader writes the file."""
    pairs = enumerate(zip(words, words[1:], strict=False))
    missing = [place for place, (word, after) in pairs if word == "--config" and not Path(after).exists()]
    return [word for place, word in enumerate(words) if place not in missing and place - 1 not in missing]


@pytest.mark.parametrize("page", [*PAGES, *EXPERIMENTS], ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_have_valid_options_and_values(page, monkeypatch):
    monkeypatch.chdir(ROOT)
    text = page.read_text(encoding="utf-8")
    text = re.sub(r"^#\s*", "", text, flags=re.MULTILINE) if page.suffix == ".yaml" else text
    for program, words in commands(text):
        if program.endswith(".py"):
            source = (ROOT / program).read_text(encoding="utf-8")
            for word in words:
                name = word.partition("=")[0]
                assert not name.startswith("--") or re.search(rf'"{name}"|\b{name[2:]}:', source), (program, word)
        elif "--help" not in words:
            parsed(program, _without_missing_files(words), monkeypatch)


@every_page
def test_files_and_names_in_backticks_exist(page):
    for word in re.findall(r"[\w./-]+", " ".join(re.findall(r"`([^`\n]+)`", page.read_text(encoding="utf-8")))):
        if word.startswith(tuple(f"{folder}/" for folder in PACKED)):
            assert (ROOT / word).exists(), word
        elif re.fullmatch(r"tfrespam(\.\w+)+", word) and word.rpartition(".")[2] not in command.STAGES:
            assert _exists(word), word


def _exists(name: str) -> bool:
    """Whether a dotted name is a module or an attribute of one."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            if not hasattr(found, part):
                return part in getattr(found, "__annotations__", {})
            found = getattr(found, part)
        return True
    return False


@every_page
def test_python_examples_use_names_that_exist(page):
    for block in re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
        if page.parent.name == "reference" or ">>>" in block:  # signatures; doctests run elsewhere
            continue
        for node in ast.walk(ast.parse(block)):
            written = ast.unparse(node) if isinstance(node, ast.Attribute) else ""
            if re.fullmatch(r"tr(\.\w+)+", written):
                assert _exists(f"tfrespam{written[2:]}"), written
            elif isinstance(node, ast.ImportFrom) and node.module.startswith("tfrespam"):
                assert all(_exists(f"{node.module}.{alias.name}") for alias in node.names), ast.unparse(node)


@every_page
def test_extras_and_make_targets_exist(page):
    text = page.read_text(encoding="utf-8")
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    for listed in re.findall(r"(?:tfrespam|\.)\[([\w,-]+)\]", text):
        assert set(listed.split(",")) <= set(extras), listed
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    for line in re.findall(r"(?:^ {4}|`)make ([^`\n#]+)", text, re.MULTILINE):
        assert {word for word in line.split() if "=" not in word} <= set(targets), line


def test_lists_are_complete():
    """Every page is in the index, every file of experiments/ in its README, every extra and network in the README."""
    read = {name: (ROOT / name).read_text(encoding="utf-8")
            for name in ("docs/index.md", "experiments/README.md", "README.md")}  # fmt: skip
    for page in (ROOT / "docs").rglob("*.md"):
        assert page.name == "index.md" or f"({page.relative_to(ROOT / 'docs')})" in read["docs/index.md"], page
    for file in (ROOT / "experiments").glob("*.*"):
        assert file.name == "README.md" or f"[{file.name}]" in read["experiments/README.md"], file
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for extra in project["optional-dependencies"]:
        assert f"`{extra}`" in read["README.md"], extra
    networks = [name for name, build in BUILDERS.items() if build.__module__.startswith("tfrespam.")]  # not of tests
    assert f"**{len(networks)} networks**" in read["README.md"]
