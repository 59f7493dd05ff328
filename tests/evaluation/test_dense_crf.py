import importlib.util
import sys

import numpy as np
import pytest

from tfrespam.core.errors import UserError
from tfrespam.evaluation.dense_crf import DenseCRF, Refined

needs_library = pytest.mark.skipif(importlib.util.find_spec("pydensecrf") is None,
                                   reason="needs the extra crf (pydensecrf2 is built from source)")  # fmt: skip

Y, X = np.mgrid[:48, :40]
DISK = np.hypot(Y - 24, X - 20) < 12
RNG = np.random.default_rng(0)


def agreement(probability, mask):
    drawn = probability >= 0.5
    return 2 * (drawn & mask).sum() / (drawn.sum() + mask.sum())


@needs_library
def test_noise_is_removed():
    noisy = np.clip(0.3 + 0.3 * DISK + RNG.normal(0, 0.12, DISK.shape), 0, 1)
    found = DenseCRF()(np.zeros(DISK.shape), noisy)
    assert found.shape == DISK.shape and found.dtype == np.float32 and 0 <= found.min() <= found.max() <= 1
    assert agreement(found, DISK) > agreement(noisy + 0.1, DISK) + 0.05


@needs_library
def test_mask_extends_to_the_edge_of_equal_grey():
    """The prediction is two pixels too small; the image shows the edge of the disk."""
    small = np.where(np.hypot(Y - 24, X - 20) < 10, 0.8, 0.3)
    image = np.where(DISK, 0.7, 0.3)
    blind = DenseCRF(raised=0.0, smooth_strength=0.0, strength=0.0)(image, small)
    np.testing.assert_allclose(blind, small, atol=1e-5)
    seeing = DenseCRF(raised=0.0, grey_reach=0.05, strength=3.0)(image, small)
    assert agreement(seeing, DISK) > agreement(small, DISK) + 0.05


@needs_library
def test_zero_steps_only_add_the_constant_offset():
    found = DenseCRF(steps=0)(np.zeros((4, 5)), np.full((4, 5), 0.25))
    np.testing.assert_allclose(found, 0.35, atol=1e-6)


class Exported:
    metadata = {"model": "ds_unet", "threshold": 0.4}

    def predict_images(self, images):
        return np.full((*images.shape[:3], 1), 0.3, np.float32)


@needs_library
def test_refined_wraps_an_exported_model():
    refined = Refined(Exported(), DenseCRF())
    images = RNG.random((3, 16, 12, 1), np.float32)
    found = refined.predict_images(images)
    assert found.shape == images.shape and refined.metadata == {"model": "ds_unet + dense CRF", "threshold": 0.4}
    np.testing.assert_array_equal(found[1, ..., 0], DenseCRF()(images[1, ..., 0], np.full((16, 12), 0.3, np.float32)))


def test_scans_of_films_are_rejected(monkeypatch):
    monkeypatch.setattr("tfrespam.evaluation.dense_crf._library", lambda: (None, None))
    with pytest.raises(UserError, match="`postprocessing` dense_crf refines crops"):
        Refined(Exported(), DenseCRF()).scan_images(np.zeros((1, 8, 8, 1)))


def test_error_names_the_missing_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "pydensecrf", None)
    with pytest.raises(UserError, match=r"pydensecrf2, .*pip install '.\[crf\]'"):
        Refined(Exported(), DenseCRF())
