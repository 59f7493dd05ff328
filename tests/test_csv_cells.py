import csv

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfrespam.core.csv_cells import guarded, unguarded
from tfrespam.core.files import read_csv, write_csv

FORMULAS = ("=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", '=HYPERLINK("http://x","y")', "'=1",
            "''=1")  # fmt: skip


@pytest.mark.parametrize("text", FORMULAS)
def test_formulas_are_guarded_and_restored(tmp_path, text):
    write_csv(tmp_path / "a.csv", [{"name": text, "n": 1}])
    with open(tmp_path / "a.csv", newline="") as file:
        assert next(csv.DictReader(file))["name"][0] == "'"
    assert read_csv(tmp_path / "a.csv") == [{"name": text, "n": "1"}]


@pytest.mark.parametrize("value", [-1, -0.5, "-1", "+3", "-1.5e-7", "-inf", float("nan"), "a=b", "", "'quoted'", None])
def test_numbers_and_plain_text_are_unchanged(value):
    assert guarded(value) is value


@settings(max_examples=300)
@given(text=st.text(max_size=12) | st.sampled_from(FORMULAS))
def test_any_text_survives_a_round_trip(text):
    assert unguarded(guarded(text)) == text
