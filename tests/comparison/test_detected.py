"""Detection scores on whole films in the numbers and tables of a comparison."""

import json
import math

import pytest
from fake_runs import write_run

from tfrespam.studies.comparison import detected
from tfrespam.studies.comparison.columns import FOUND
from tfrespam.training.run_results import RunResults


def run(folder, value, masses=10, interval=(0.1, 0.9), film="p1") -> RunResults:
    """A run with sensitivity `value` at every number of false positives; `None` for a run on crops."""
    write_run(folder, {f"{film} 1": (5, 1, 1)})
    summary = json.loads((folder / "summary.json").read_text())
    if value is not None:
        cells = {f"fp_{alarms}": {"value": value, "ci95": list(interval)} for alarms in detected.ALARMS}
        overlaps = {f"iou_{overlap}": {"sensitivity": cells} for overlap in detected.OVERLAPS}
        summary["detection"] = {"n_lesions": masses, **overlaps}
    (folder / "summary.json").write_text(json.dumps(summary))
    return RunResults.read(folder)


def test_one_run_has_an_interval(tmp_path):
    found = detected.numbers([run(tmp_path, 0.4)])
    assert (found["found_iou0.5_fp1"], found["found_iou0.5_fp1_low"], found["masses"]) == (0.4, 0.1, 10)
    cells = {name: cell({**found, "network": "n", "recipe": "r", "protocol": "p"}) for name, cell in FOUND}
    assert cells["IoU 0.1,\n2 a film"] == "40.0 (10–90)" and cells["Masses"] == "10"


def test_several_runs_are_weighted_by_masses_and_have_no_interval(tmp_path):
    found = detected.numbers([run(tmp_path / "a", 0.4, 10), run(tmp_path / "b", 0.7, 20, film="p2")])
    assert found["found_iou0.1_fp0.5"] == pytest.approx(0.6) and found["masses"] == 30
    assert dict(FOUND)["IoU 0.1,\n0.5 a film"](found) == "60.0"


def test_runs_on_crops_have_no_detection_numbers(tmp_path):
    assert detected.numbers([run(tmp_path, None)]) == {}


def test_masses_of_films_evaluated_by_two_seeds_count_once(tmp_path):
    found = detected.numbers([run(tmp_path / "a", 0.4), run(tmp_path / "b", 0.6)])
    assert found["masses"] == 10 and found["found_iou0.1_fp1"] == pytest.approx(0.5)


def test_a_fold_with_three_seeds_counts_once(tmp_path):
    first = [run(tmp_path / str(seed), 0.8) for seed in range(3)]
    found = detected.numbers([*first, run(tmp_path / "b", 0.4, film="p2")])
    assert found["masses"] == 20 and found["found_iou0.1_fp1"] == pytest.approx(0.6)


def test_unknown_values_are_shown_as_a_dash(tmp_path):
    found = detected.numbers([run(tmp_path / "a", 0.0, interval=(None, None))])
    assert dict(FOUND)["IoU 0.1,\n1 a film"](found) == "0.0"
    nothing = run(tmp_path / "b", 0.5, masses=0)
    nothing.summary["detection"]["iou_0.1"]["sensitivity"]["fp_1"]["value"] = None  # as JSON has what is unknown
    found = detected.numbers([nothing])
    assert found["masses"] == 0 and math.isnan(found["found_iou0.1_fp1"])
    assert dict(FOUND)["IoU 0.1,\n1 a film"](found) == "–"
    assert detected.numbers([nothing, run(tmp_path / "c", 0.4, film="p2")])["found_iou0.1_fp1"] == 0.4
