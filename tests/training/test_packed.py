import contextlib

import numpy as np
import pytest
from packed_runs import packed_for

from tfrespam.core.errors import UserError
from tfrespam.core.files import csv_rows, write_csv
from tfrespam.data.loading import packed


def test_a_damaged_file_is_reported(experiment, tmp_path):
    packed_for(experiment, tmp_path)
    whole = (tmp_path / "arrays.npz").read_bytes()
    (tmp_path / "arrays.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r"arrays.npz cannot be read"):
        packed.read(tmp_path / "arrays.npz")
    with pytest.raises(UserError, match="there is no file"):
        packed.read(tmp_path / "other.npz")


def test_every_kind_of_damage_is_a_user_error(experiment, tmp_path):
    packed_for(experiment, tmp_path)
    whole = (tmp_path / "arrays.npz").read_bytes()
    rng = np.random.default_rng(0)
    for place in rng.integers(0, len(whole), 150):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(rng.integers(8))
        (tmp_path / "arrays.npz").write_bytes(damaged)
        with contextlib.suppress(UserError):
            packed.read(tmp_path / "arrays.npz")


def test_cells_that_a_spreadsheet_would_run_are_restored(tmp_path):
    write_csv(tmp_path / "index.csv", [{"lesion_id": "=1", "copy": 0}])
    assert csv_rows((tmp_path / "index.csv").read_text().splitlines()) == [{"lesion_id": "=1", "copy": "0"}]
