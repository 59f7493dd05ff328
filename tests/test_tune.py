"""Stage `tune`: errors of the command line."""

import pytest

from tfrespam.core.errors import UserError
from tfrespam.tune import tune

pytest.importorskip("keras_tuner", reason="KerasTuner (extra [tune]) is not installed")


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(UserError, match="`experiment` must be a YAML file of settings"):
        tune(str(tmp_path / "none.yaml"))
