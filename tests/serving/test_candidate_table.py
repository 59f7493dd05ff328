import math

import numpy as np
import pytest

from tfrespam.serving.client.candidate_table import listed
from tfrespam.serving.client.failures import WrongAnswerError

ROW = [2, 3, 6, 9, 0.75, 20]


def test_rows_become_candidates_and_empty_ones_are_left_out():
    table = np.array([[ROW, [0] * 6], [[0] * 6] * 2], np.float32)
    first, second = listed(table, 2, "server")
    (found,) = first
    assert (found.score, found.box, found.centre, found.area_px) == (0.75, (2, 3, 6, 9), (3.5, 5.5), 20)
    assert math.isnan(found.longest_diameter_px) and second == ()


def test_a_table_without_columns_means_no_candidates():
    assert listed([[], []], 2, "server") == [(), ()]


@pytest.mark.parametrize(("table", "message"), [
    (np.zeros((1, 2, 6), np.float32), "shape"), (np.zeros((2, 2, 5), np.float32), "shape"), ("table", "shape"),
    (np.full((2, 1, 6), np.nan, np.float32), "with values"), (np.full((2, 1, 6), -1, np.float32), "with values"),
    (np.full((2, 1, 6), 2, np.float32), "with values"),
])  # fmt: skip
def test_other_tables_are_refused(table, message):
    with pytest.raises(WrongAnswerError, match=message):
        listed(table, 2, "server")
