"""Fixtures of this folder."""

import pytest
import tiny


@pytest.fixture(scope="module")
def experiment(data_dir, tmp_path_factory):
    return tiny.experiment(tmp_path_factory.mktemp("accelerator"), data_dir, training__ema=0.9, training__select="last",
                           augment__scale=0.2, augment__gamma=0.2)  # fmt: skip
