"""docs/reference/files.md names every column and key that the code writes."""

import json
import re
from pathlib import Path

import pytest

from tfrespam.evaluation import confusion, detection, detection_groups, froc, summary
from tfrespam.evaluation.probability_counts import ProbabilityCounts
from tfrespam.workflows import prediction_results

PAGE = (Path(__file__).parents[1] / "docs" / "reference" / "files.md").read_text(encoding="utf-8")
PARTS = dict(re.findall(r"^#{2,3} (.*?)$\n(.*?)(?=^#{2,3} |\Z)", PAGE, re.MULTILINE | re.DOTALL))


def named(title):
    """Names in the tables of the part of the page with this title."""
    (part,) = [text for heading, text in PARTS.items() if title in heading]
    rows = [line.rsplit("|", 2)[0] for line in part.splitlines() if line.startswith("|")]
    return set(re.findall(r"`([\w.]+)`", " ".join(rows)))


@pytest.mark.parametrize(("title", "written"), [
    ("predictions.csv", prediction_results.FIELDS), ("candidates.csv", prediction_results.CANDIDATE_FIELDS),
    ("per_image.csv", (*summary.METADATA, *confusion.SCORES, *summary.DISTANCES, *confusion.Counts._fields,
                       "coverage")),
    ("calibration.csv", ProbabilityCounts().rows()[0]),
    ("For whole films", (*detection.FIELDS, *froc.COLUMNS, *detection_groups.FIELDS, "candidates.csv", "froc.csv",
                         "detection_groups.csv")),
])  # fmt: skip
def test_every_column_is_described(title, written):
    assert named(title) == set(written)


def test_every_column_of_the_index_is_described(prepared):
    assert named("index.csv") == set(prepared.table)


def test_every_key_of_a_summary_is_described(trained):
    known = json.loads((trained[1] / "summary.json").read_text())
    assert set(known) <= named("summary.json")
