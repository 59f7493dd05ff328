"""Texture that resembles breast tissue: power-law noise and strands."""

import functools

import cv2
import numpy as np
import scipy.fft

BETA = 3.0  # P(f) = K / f^beta; mammograms: 1.5-3.5 (Burgess and Judy, J Opt Soc Am A 24:B52, 2007)


def power_law(shape: tuple[int, int], rng: np.random.Generator, beta: float = BETA) -> np.ndarray:
    """Draw an isotropic Gaussian field of zero mean and unit variance with a power spectrum of 1/f^beta.

    Returns (H, W) float32. The field is cut from a larger periodic one, so that opposite borders do not match.
    """
    rows, columns = (125 * (side // 100 + 1) for side in shape)  # few distinct sizes, so that few filters are computed
    spectrum = scipy.fft.rfft2(rng.standard_normal((rows, columns), dtype=np.float32))
    spectrum *= _filter(rows, columns, beta)
    field = scipy.fft.irfft2(spectrum, s=(rows, columns), overwrite_x=True)[: shape[0], : shape[1]]
    return (field - field.mean()) / field.std()


@functools.lru_cache(maxsize=16)
def _filter(rows: int, columns: int, beta: float) -> np.ndarray:
    frequency = np.hypot(np.fft.fftfreq(rows)[:, None], np.fft.rfftfreq(columns)[None])
    frequency[0, 0] = np.inf  # zero mean
    return (frequency ** (-beta / 2)).astype(np.float32)


def strands(shape: tuple[int, int], scale: tuple[float, float], width: float, rng: np.random.Generator) -> np.ndarray:
    """Draw thin curved lines, (H, W) float32 in [0, 1], at the zero crossings of a smooth random field.

    `scale` is the size of the field's features (vertical, horizontal) in pixels; `width` is the width of the lines in
    standard deviations of the field.
    """
    coarse = [max(4, round(4 * side / feature)) for side, feature in zip(shape, scale, strict=True)]
    field = cv2.GaussianBlur(rng.standard_normal(coarse, dtype=np.float32), (0, 0), 2.0)
    field = cv2.resize(field / field.std(), shape[::-1], interpolation=cv2.INTER_CUBIC)
    strength = cv2.resize(rng.uniform(0, 1, (16, 16)).astype(np.float32), shape[::-1], interpolation=cv2.INTER_CUBIC)
    return strength * np.exp(-((field / width) ** 2))


def radial_strands(shape: tuple[int, int], centre: tuple[float, float], rng: np.random.Generator) -> np.ndarray:
    """Draw fine strands that run towards `centre` (y, x), as ducts run to the nipple; (H, W) float32, about -1 to 2."""
    yy, xx = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    dy, dx = yy - np.float32(centre[0]), np.float32(centre[1]) - xx
    sway = cv2.resize(power_law((60, 60), rng), shape[::-1], interpolation=cv2.INTER_CUBIC)
    # polar image of 768 quarter-degrees x 400 pixel pairs, in which all features are much longer than wide
    feathers = cv2.resize(power_law((768, 64), rng, beta=2.4), (400, 768), interpolation=cv2.INTER_CUBIC)
    sheet = 0.4 * feathers + strands((768, 400), (16.0, 120.0), 0.15, rng) + strands((768, 400), (7.0, 60.0), 0.2, rng)
    radius = (np.hypot(dy, dx) + 12 * sway) / 2
    angle = (np.arctan2(dy, dx) / np.pi + 0.5 + 0.02 * sway) * 767
    return cv2.remap(sheet, radius, angle.astype(np.float32), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
