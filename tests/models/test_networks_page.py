"""docs/reference/networks.md states the networks' parameters and operations."""

import re
from pathlib import Path

import keras
import pytest

from tfrespam.models import BUILDERS, build_model
from tfrespam.models.blocks import without_sides
from tfrespam.models.flops import count_flops

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "networks.md").read_text(encoding="utf-8")
NAMES = [name for name, build in BUILDERS.items() if build.__module__.startswith("tfrespam.")]  # not those of tests
ROWS = {cells[1].strip(" `"): cells[4:7] for line in PAGE.splitlines() if line.startswith("| `")
        for cells in [line.split("|")]}  # fmt: skip


def test_every_network_has_a_row():
    assert list(ROWS) == NAMES


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_numbers_of_a_row_are_right(name):
    parameters, operations, multiple = (float(re.sub("[ ,]", "", cell)) for cell in ROWS[name])
    model = build_model(name, (224, 224, 2 if name == "multi_input" else 1))
    assert model.count_params() == parameters
    assert count_flops(without_sides(model)) / 1e9 == pytest.approx(operations, abs=0.06)
    with pytest.raises(ValueError, match=f"multiples of {multiple:g}"):
        build_model(name, (224 + int(multiple) // 2, 224, 2 if name == "multi_input" else 1))
    keras.backend.clear_session()
