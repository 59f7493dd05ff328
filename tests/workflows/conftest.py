"""Fixtures of this folder."""

import cbis_tree
import numpy as np
import pytest
from cbis_tree import Entry
from PIL import Image
from prepared_trees import make
from small_model import SIZE, small_model
from small_runs import _write_fake

from tfrespam.serving.graph.signatures import export_archive
from tfrespam.workflows import exporting


@pytest.fixture(scope="module")
def model():
    return small_model()


@pytest.fixture
def quick(monkeypatch):
    """Replace the slow parts of an export."""
    monkeypatch.setattr("tfrespam.workflows.exporting.export_archive", _write_fake)
    monkeypatch.setattr(exporting, "_check_parity", lambda *_: None)
    monkeypatch.setattr("tfrespam.workflows.exporting.count_flops", lambda _: 1)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Three patients on the training list, one with two masses on a film, one on the test list; one mask is missing."""
    root = tmp_path_factory.mktemp("cbis")
    second = Entry("P_00001", number=2, fields={"mass shape": "ROUND"})
    second.mask = np.roll(second.mask, 5, axis=1)
    lost = Entry("P_00004")
    cbis_tree.write(root, [Entry("P_00001"), second, Entry("P_00002"), Entry("P_00003", split="Test"), lost])
    _, _, (mask, _) = lost.places()
    next(root.rglob(mask)).unlink()
    return root


@pytest.fixture(scope="module")
def made(source, tmp_path_factory):
    return make(source, tmp_path_factory.mktemp("home"))


@pytest.fixture
def folder(tmp_path):
    """A folder of images and masks with masses of decreasing size."""
    for number in range(3):
        mask = np.zeros((60, 40), np.uint8)
        mask[20 : 40 - 5 * number, 10:30] = 255
        for place, picture in (("images", mask // 3 + 40), ("masks", mask)):
            (tmp_path / "set" / place).mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(tmp_path / "set" / place / f"p{number}.png")
    return tmp_path / "set"


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Model folder of an experiment with one version."""
    path = tmp_path_factory.mktemp("saved_models") / "small"
    export_archive(small_model(), path / "1", SIZE)
    return path
