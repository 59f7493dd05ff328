"""Write experiments/results/README.md: one row a result, from the comment at the head of each result's README.

    python experiments/index_results.py

The comment is YAML and stands on the lines after the title:

    <!-- index
    question: What does the protocol cost?
    answer: 5.9 points of Dice (U-Net)
    commit: 80928ec
    command: python -m tfrespam.compare --config experiments/leakage.yaml
    -->
"""

import re
from pathlib import Path

import yaml

RESULTS = Path(__file__).with_name("results")
FIELDS = ("question", "answer", "commit", "command")
HEAD = """# Results

One row a result, written by [index_results.py](../index_results.py); each folder has settings, history and rows per
image. Dice in per cent, of patients that the network has not seen unless said otherwise.

"""
FIRST = """
## First edition of the masks

Made on reduced films whose masks had been placed by registration, up to 26 pixels off; not comparable to the results
above ([what happened](../../datasets/cbis_ddsm_mass/README.md#masks-of-the-reduced-films)). On the corrected masks
respam-real and fold 0 of table1-real have been repeated. For leakage see paper-recipe, for networks on films film-gain.

"""
TABLE = """| result | question | answer | commit | command |
|---|---|---|---|---|
"""


def entry(page: Path) -> dict[str, str]:
    """The index comment of a result's README. Raises ValueError when it is missing or lacks a field."""
    found = re.search(r"<!-- index\n(.*?)-->", page.read_text(encoding="utf-8"), re.DOTALL)
    told = yaml.safe_load(found[1]) if found else {}
    missing = [field for field in FIELDS if not told.get(field)]
    if missing:
        raise ValueError(f"{page} needs a comment '<!-- index ... -->' with {', '.join(missing)}")
    return {field: str(told[field]) for field in FIELDS}


def rows(folder: Path, results: Path) -> str:
    """The table of the results in `folder`."""
    lines = []
    for page in sorted(folder.glob("*/README.md")):
        told = entry(page)
        link = f"[{page.parent.name}]({page.relative_to(results).as_posix()})"
        lines.append(f"| {link} | {told['question']} | {told['answer']} | {told['commit']} | `{told['command']}` |\n")
    return TABLE + "".join(lines)


def index(results: Path = RESULTS) -> str:
    """The text of results/README.md."""
    return HEAD + rows(results, results) + FIRST + rows(results / "first-edition", results)


if __name__ == "__main__":
    (RESULTS / "README.md").write_text(index(), encoding="utf-8")
