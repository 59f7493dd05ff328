"""Links of the pages lead to files, examples in docstrings are true, and the site can be built."""

import doctest
import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("*/README.md"),
                *ROOT.glob("datasets/*/README.md"), *ROOT.glob("experiments/results/**/README.md")])  # fmt: skip
WITH_EXAMPLES = sorted(path for path in (ROOT / "tfrespam").rglob("*.py") if ">>> " in path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if not target.startswith(("http://", "https://", "mailto:")):
            name, _, anchor = target.partition("#")
            name = name or page.name
            assert (page.parent / name).exists(), target
            assert not anchor or anchor in anchors(page.parent / name), target


def anchors(page: Path) -> set[str]:
    """Anchors of a page's headings, as code hosts make them."""
    headings = re.findall(r"^#+ (.*)", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", WITH_EXAMPLES, ids=lambda path: path.stem)
def test_docstring_examples_are_correct(path):
    module = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    result = doctest.testmod(module)
    assert result.attempted and not result.failed


def test_the_site_can_be_built(tmp_path):
    """With --strict a broken link or anchor is an error."""
    import subprocess
    import sys

    pytest.importorskip("mkdocs", reason="the extra [docs] is not installed")
    built = subprocess.run([sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")],
                           cwd=ROOT, capture_output=True, text=True, timeout=300)  # fmt: skip
    assert built.returncode == 0, built.stderr[-2000:]
    layers = (tmp_path / "site" / "reference" / "layers" / "index.html").read_text(encoding="utf-8")
    assert "Parallel attention module" in layers and "shared_crc" in layers
