import numpy as np

from tfrespam.data.readers import cbis_repair


def film() -> np.ndarray:
    """A suspect film: bright tissue with a flat, saturated half."""
    grey = np.random.default_rng(0).integers(30_000, 50_000, (400, 200)).astype(np.uint16)
    grey[:, 120:] = 65_535
    return grey


def test_the_crop_file_shows_whether_a_bright_film_is_inverted():
    positive = film()
    crop = positive[100:140, 40:80]
    assert not cbis_repair.is_negative(positive, [crop])
    assert cbis_repair.is_negative(65_535 - positive, [crop]) is bool(
        np.mean((65_535 - positive) < 0.25 * 65_535) - np.mean((65_535 - positive) > 0.75 * 65_535)
        <= cbis_repair.SUSPECT)  # fmt: skip


def test_windows_without_contrast_are_ignored():
    """Normalised correlation is noise there, down to -1, which once inverted the films of three lesions."""
    kept = cbis_repair._textured(film(), (40, 40))
    assert kept.shape == (361, 161)
    assert kept[:, :81].all() and not kept[:, 120:].any()
