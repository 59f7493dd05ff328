"""docs/reference/reliability.md names existing tests and the counts of the recorded runs."""

import ast
import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "reference" / "reliability.md").read_text(encoding="utf-8")
RESULTS = ROOT / "experiments" / "results" / "reliability"
STAGES = {"prepare", "train", "export", "evaluate", "predict", "compare", "report", "tune"}


def counts(kind: str) -> dict[str, dict]:
    """Return the recorded counts of kill_stages.py by stage."""
    found = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(RESULTS.glob(f"{kind}-*.json"))]
    return {each["stage"]: each for each in found}


def test_every_test_named_on_the_page_exists():
    names = {node.name for file in (ROOT / "tests").rglob("test_*.py")
             for node in ast.parse(file.read_text(encoding="utf-8")).body if isinstance(node, ast.FunctionDef)}
    files = {file.name for file in (ROOT / "tests").rglob("test_*.py")}
    asked = re.findall(r"\btest_\w+(?:\.py)?", PAGE)
    assert len(asked) > 30
    for name in asked:
        assert name in (files if name.endswith(".py") else names), name


def test_counts_of_kills_match_the_recorded_runs():
    kills, interruptions = counts("kills"), counts("interruptions")
    assert set(kills) == set(interruptions) == STAGES
    for stage in STAGES:
        row = next(row for row in PAGE.splitlines() if row.startswith(f"| `{stage}` | "))
        found = kills[stage], interruptions[stage]
        assert row == f"| `{stage}` | " + " | ".join(str(each["kills"]) for each in found) + " | 0 |"
        assert not any(each["lost"] for each in found)
    sums = [sum(each["kills"] for each in of.values()) for of in (kills, interruptions)]
    assert sums[0] >= 200 and "{} kills, {} interruptions by Ctrl-C".format(*sums) in PAGE


def test_every_lost_count_is_zero():
    rows = [row.split("|") for row in PAGE.splitlines() if row.startswith("|") and not row.startswith("|--")]
    counts = [row[-2].strip() for row in rows if row[-2].strip() != "Lost"]
    assert len(counts) > 30 and set(counts) == {"0"}
