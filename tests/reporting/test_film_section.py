"""Detection scores on whole films in a report."""

import json
import re

import numpy as np
import pytest
from fake_runs import write_run

from tfrespam.core.files import write_csv, write_json
from tfrespam.evaluation.candidates import CandidateRule
from tfrespam.evaluation.detection import find
from tfrespam.evaluation.film_scores import RULE, film_scores
from tfrespam.report import report
from tfrespam.studies.reporting.film_section import film_section
from tfrespam.training.run_results import RunResults

FOUND = (0.9, True), (0.8, False), (0.7, True), (0.6, False)


@pytest.fixture
def folder(tmp_path):
    """An evaluation of four films of two patients: two masses found, two missed, two false positives."""
    folder = write_run(tmp_path / "films", {f"{patient} {film}": (9, 2, 1) for patient in "ab" for film in (1, 2)})
    findings = []
    for score, hit in FOUND:
        reference, probability = np.zeros((2, 40, 40))
        reference[5:15, 5:15] = 1
        probability[5:15, (5 if hit else 25) : (15 if hit else 35)] = score
        findings.append(find(reference, probability, 0.5))
    table = {"patient_id": np.array(list("aabb")), "film_id": np.array(list("1234")),
             "view": np.array(["CC", "MLO"] * 2), "breast_density": np.array([-1, 2, 2, 2]),
             "subtlety": np.array([1, 5, 5, 5])}  # fmt: skip
    detection, tables = film_scores(findings, table, [0.9, 0, 0.7, 0], CandidateRule(0.5), 0.75, 40)
    for name, (rows, columns) in tables.items():
        write_csv(folder / "validation" / name, rows, columns)
    summary = json.loads((folder / "summary.json").read_text())
    write_json(folder / "summary.json", summary | {"detection": detection})
    return folder


def test_page_contains_scores_curve_groups_and_reliability(folder, tmp_path):
    report(str(folder), output=str(tmp_path / "out.html"), images=False)
    page = (tmp_path / "out.html").read_text(encoding="utf-8")
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", re.sub(r"<svg.*?</svg>", "", page, flags=re.DOTALL)))
    detection = json.loads((folder / "summary.json").read_text())["detection"]
    for cell in detection["iou_0.5"]["sensitivity"].values():
        low, high = (100 * end for end in cell["ci95"])
        assert f"{100 * cell['value']:.2f} ({low:.2f} to {high:.2f})" in text
    for fact in ("4 masses, 4 candidates", RULE.replace("'", "&#39;"), "AP50 of masks", "AP50 of boxes",
                 "Dice of films with a found mass (IoU of at least 0.1) 80.00", "a score of at least 0.750, chosen on "
                 "the model&#39;s validation films", "Masses found by view", "Masses found by breast density",
                 "Masses found by subtlety", "Masses found by longest diameter over the image&#39;s height",
                 f"Expected calibration error {detection['reliability']['expected_calibration_error']:.3f}",
                 "0.8 to 0.9 2 1 50.00", "the rows are not comparable"):  # fmt: skip
        assert fact in text, fact
    assert page.count("false positives per film</text>") == 1 and "share of candidates that are masses</text>" in page


def test_values_are_those_of_the_tables(folder):
    found = film_section(RunResults.read(folder), "run")
    groups = dict(found["groups"])
    assert groups["View"] == [("cc", ["2", *["100.00"] * 4, "0.00"]),
                              ("mlo", ["2", *["0.00"] * 4, "1.00"])]  # fmt: skip
    assert [name for name, _ in groups["Breast density"]] == ["unknown", "2"]
    assert found["point"]["rows"][0][0] == "0.1" and found["point"]["rows"][0][1].startswith("25.00 (")
    (folder / "validation" / "froc.csv").unlink()
    assert film_section(RunResults.read(folder), "run") is None
    assert film_section(RunResults.read(write_run(folder.parent / "crops", {"a 1": (9, 2, 1)})), "run") is None
