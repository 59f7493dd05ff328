"""docs/reliability.md names tests that there are, and tells the counts of the runs that were made."""

import ast
import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
COUNTS = [json.loads(file.read_text(encoding="utf-8"))
          for file in sorted((ROOT / "experiments" / "results" / "reliability").glob("*.json"))]  # fmt: skip


def test_every_test_of_the_page_exists():
    names = {node.name for file in (ROOT / "tests").rglob("test_*.py")
             for node in ast.parse(file.read_text(encoding="utf-8")).body if isinstance(node, ast.FunctionDef)}
    files = {file.name for file in (ROOT / "tests").rglob("test_*.py")}
    asked = re.findall(r"\btest_\w+(?:\.py)?", PAGE)
    assert len(asked) > 30
    for name in asked:
        assert name in (files if name.endswith(".py") else names), name


def test_the_counts_of_kills_are_those_of_the_runs():
    assert COUNTS and not any(each["lost"] for each in COUNTS)
    for each in COUNTS:
        row = next(row for row in PAGE.splitlines() if row.startswith(f"| `{each['stage']}` | "))
        assert row.endswith(f" | {each['kills']} | 0 |")
    assert f"{sum(each['kills'] for each in COUNTS)} kills so far" in PAGE


def test_nothing_was_lost():
    rows = [row.split("|") for row in PAGE.splitlines() if row.startswith("|") and not row.startswith("|--")]
    counts = [row[-2].strip() for row in rows if row[-2].strip() != "Lost"]
    assert len(counts) > 30 and set(counts) == {"0"}
