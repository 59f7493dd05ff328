import math

import pytest
from fake_runs import write_run

from tfrespam.core.files import write_json
from tfrespam.studies.comparison.budget import equal, images_seen
from tfrespam.training.run_results import RunResults

FULL = (40, 0, 0)


def run(folder, facts=None, **settings) -> RunResults:
    write_run(folder, {"a 1": FULL}, **settings)  # two epochs
    if facts:
        write_json(folder / "facts.json", facts)
    return RunResults.read(folder)


def test_images_seen_are_read_from_the_summary(tmp_path):
    assert images_seen(run(tmp_path, images_seen=26_208)) == 26_208


def test_images_seen_by_older_runs_are_computed_from_training_lesions(tmp_path):
    facts = {"training": {"batch_size": 8}, "data": {"protocol": "folds"}, "dataset": {"examples": 30},
             "trained_on": {"copy": [f"{n:012}" for n in range(21)]}}  # fmt: skip
    assert images_seen(run(tmp_path, facts, images_seen=None)) == 2 * 16  # no batch is short


def test_copies_of_the_papers_protocol_are_counted_one_by_one(tmp_path):
    facts = {"training": {"batch_size": 8}, "data": {"protocol": "paper"}, "dataset": {"examples": 17_134},
             "trained_on": {"copy": ["a"]}}  # fmt: skip
    assert images_seen(run(tmp_path, facts, images_seen=None)) == 2 * 1713 * 8  # 13,707 copies


def test_images_seen_are_unknown_without_summary_and_facts(tmp_path):
    assert math.isnan(images_seen(run(tmp_path, images_seen=None)))


@pytest.mark.parametrize(("first", "second", "expected"), [
    (100, 100, True), (100, 98, True), (98, 100, True), (100, 97.9, False), (272_300, 267_800, True),
    (20 * 13_615, 26 * 1_050, False), (math.nan, 100, False), (math.nan, math.nan, False),
])  # fmt: skip
def test_budgets_within_two_per_cent_are_equal(first, second, expected):
    assert equal(first, second) is expected
