import pytest
from packed_runs import packed_for

from tfrespam.core.errors import UserError
from tfrespam.data.loading import packed


def test_a_damaged_file_is_reported(experiment, tmp_path):
    packed_for(experiment, tmp_path)
    whole = (tmp_path / "arrays.npz").read_bytes()
    (tmp_path / "arrays.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r"arrays.npz cannot be read"):
        packed.read(tmp_path / "arrays.npz")
    with pytest.raises(UserError, match="there is no file"):
        packed.read(tmp_path / "other.npz")
