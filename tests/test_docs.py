"""The pages: links lead somewhere, commands name options that there are; examples in docstrings are true."""

import doctest
import importlib
import re
import shlex
from pathlib import Path

import pytest

from tfrespam import __main__ as command

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("*/README.md")])
WITH_EXAMPLES = sorted(path for path in (ROOT / "tfrespam").rglob("*.py") if ">>> " in path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if not target.startswith(("http://", "https://", "#", "mailto:")):
            assert (page.parent / target.partition("#")[0]).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_name_stages_and_options_that_there_are(page):
    text = re.sub(r"\\\n *", "", page.read_text(encoding="utf-8"))  # commands of several lines
    for line in re.findall(r"^ {4}python -m tfrespam\.(.+)$", text, re.MULTILINE):
        stage, *words = shlex.split(line.partition("  #")[0])
        module = importlib.import_module(command.STAGES[stage])
        known = _help(module)
        for word in words:
            if word.startswith("--"):
                assert word.partition("=")[0] in known, line


def _help(module) -> str:
    """What `--help` of a stage prints."""
    import contextlib
    import io
    import sys

    text, arguments = io.StringIO(), sys.argv
    sys.argv = [module.__file__, "--help"]
    try:
        with contextlib.redirect_stdout(text), pytest.raises(SystemExit):
            module.main()
    finally:
        sys.argv = arguments
    return text.getvalue()


@pytest.mark.parametrize("path", WITH_EXAMPLES, ids=lambda path: path.stem)
def test_examples_in_docstrings_are_true(path):
    module = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    result = doctest.testmod(module)
    assert result.attempted and not result.failed


def test_the_site_can_be_built(tmp_path):
    """With --strict a broken link or anchor is an error."""
    import subprocess
    import sys

    pytest.importorskip("mkdocs", reason="the extra [docs] is not installed")
    pytest.importorskip("mkdocstrings", reason="the extra [docs] is not installed")
    built = subprocess.run([sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")],
                           cwd=ROOT, capture_output=True, text=True, timeout=300)  # fmt: skip
    assert built.returncode == 0, built.stderr[-2000:]
    layers = (tmp_path / "site" / "reference" / "layers" / "index.html").read_text(encoding="utf-8")
    assert "Parallel attention module" in layers and "shared_crc" in layers
    assert "<blockquote>" not in layers  # what examples become that are not below "Examples:"
