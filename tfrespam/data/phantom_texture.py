"""Noise that looks like breast tissue: power-law clouds and the strands between them."""

import cv2
import numpy as np
import scipy.fft

BETA = 3.0  # P(f) = K / f^beta; mammograms: 1.5-3.5, mean about 2.8 (Burgess and Judy, J Opt Soc Am A 24:B52, 2007)


def power_law(shape: tuple[int, int], rng: np.random.Generator, beta: float = BETA) -> np.ndarray:
    """Isotropic Gaussian field of zero mean and unit variance whose power spectrum falls as 1/f^beta.

    Returns (H, W) float32. The field is cut from a larger periodic one, so that its borders do not match.
    """
    rows, columns = (scipy.fft.next_fast_len(side + side // 4, real=True) for side in shape)
    spectrum = scipy.fft.rfft2(rng.standard_normal((rows, columns), dtype=np.float32))
    frequency = np.hypot(np.fft.fftfreq(rows)[:, None], np.fft.rfftfreq(columns)[None]).astype(np.float32)
    frequency[0, 0] = np.inf  # no mean
    field = scipy.fft.irfft2(spectrum * frequency ** (-beta / 2), s=(rows, columns))[: shape[0], : shape[1]]
    return (field - field.mean()) / field.std()


def strands(shape: tuple[int, int], scale: float, width: float, rng: np.random.Generator) -> np.ndarray:
    """Thin curved lines, (H, W) float32 in [0, 1]: where a smooth field of `scale`-pixel features crosses zero."""
    coarse = (max(4, int(shape[0] / scale * 4)), max(4, int(shape[1] / scale * 4)))
    field = cv2.GaussianBlur(rng.standard_normal(coarse, dtype=np.float32), (0, 0), 2.0)
    field = cv2.resize(field / field.std(), shape[::-1], interpolation=cv2.INTER_CUBIC)
    return np.exp(-((field / width) ** 2))


def radial_strands(
    shape: tuple[int, int], centre: tuple[float, float], width: float, rng: np.random.Generator
) -> np.ndarray:
    """Strands that run towards `centre` (y, x), as ducts run towards the nipple; (H, W) float32 in [0, 1]."""
    yy, xx = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    dy, dx = yy - np.float32(centre[0]), xx - np.float32(centre[1])
    bend = 40.0 * cv2.resize(power_law((50, 50), rng), shape[::-1], interpolation=cv2.INTER_CUBIC)
    angle, radius = np.arctan2(dy, -dx), np.hypot(dy, dx) + bend
    sheet = strands((512, 256), 26.0, width, rng)  # rows: angle, columns: a quarter of the radius
    return cv2.remap(
        sheet,
        np.clip(radius / 4, 0, 255).astype(np.float32),
        ((angle / np.pi + 1) * 255.5 + bend / 12).astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT,
    )
