"""Fixtures of this folder."""

import numpy as np
import pytest
from small_model import small_model

import tfrespam as tr


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    home = tmp_path_factory.mktemp("models")
    return tr.export(small_model(), home / "mine", note="a test")


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).random((3, 24, 40)).astype(np.float32)
