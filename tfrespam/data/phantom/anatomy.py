"""Synthetic breast without masses: outline, fat and glandular tissue, ducts, vessels, pectoral muscle, nipple.

Every breast is drawn with the chest wall at the left edge of the film, as left breasts are displayed; `film` mirrors
right breasts. Values are film brightness, from 0 (no tissue) to about 1.
"""

import dataclasses

import cv2
import numpy as np

from tfrespam.data.phantom.texture import power_law, radial_strands, strands


@dataclasses.dataclass(frozen=True)
class Anatomy:
    """Breast in one view."""

    brightness: np.ndarray  # (H, W) float32
    depth: np.ndarray  # (H, W) float32: distance to the skin in pixels, 0 outside the breast
    gland: np.ndarray  # (H, W) float32 in [0, 1]: share of glandular tissue
    pectoral: np.ndarray  # (H, W) float32 in [0, 1]
    nipple: tuple[float, float]  # y, x


def draw_anatomy(
    shape: tuple[int, int], view: str, size: float, density: int, rng: np.random.Generator
) -> Anatomy:
    """Draw a breast of `size` (0 small - 1 large) and BI-RADS `density` (1-4) in `view` (CC or MLO)."""
    inside, nipple = _outline(shape, view, size, rng)
    depth = _distance_to_skin(inside)
    pectoral = _pectoral(shape, nipple, rng) if view == "MLO" else np.zeros(shape, np.float32)
    ducts = radial_strands(shape, nipple, rng)
    gland = _gland(depth, nipple, density, ducts, rng) * (1 - 0.8 * pectoral)
    tissue = _tissue(gland, ducts, rng) + _vessels(shape, nipple, rng)
    thickness = 1 - np.exp(-depth / rng.uniform(16, 28))  # the compressed breast is thinner towards the skin
    skin = 0.05 * np.exp(-(((depth - 3) / 2) ** 2))
    brightness = thickness * (tissue + 0.2 * pectoral) + skin * inside
    return Anatomy(brightness.astype(np.float32), depth, gland, pectoral, nipple)


def _outline(
    shape: tuple[int, int], view: str, size: float, rng: np.random.Generator
) -> tuple[np.ndarray, tuple[float, float]]:
    """Draw the breast's mask, (H, W) float32 0 or 1; return it and the nipple (y, x)."""
    height, width = shape
    reach = width * (0.5 + 0.33 * size + rng.uniform(-0.04, 0.04))
    half = height * (0.27 + 0.12 * size + rng.uniform(-0.02, 0.02))
    middle = height * rng.uniform(0.46, 0.54) if view == "CC" else height * 0.95 - half - rng.uniform(0, 0.06) * height
    sag = 0.0 if view == "CC" else height * rng.uniform(0.0, 0.07)
    edge = _profile(np.arange(-200, height + 200), middle, half, view, rng)
    yy, xx = np.mgrid[:height, :width].astype(np.float32)
    level = yy - sag * (xx / reach) ** 2  # gravity moves the tip of the breast further down than its base
    inside = (xx < reach * np.interp(level, np.arange(-200, height + 200), edge)).astype(np.float32)
    nipple = (middle + sag, reach)
    cv2.ellipse(inside, (round(reach) - 2, round(nipple[0])), (9, 8), 0, 0, 360, 1.0, -1)
    smooth = cv2.GaussianBlur(cv2.copyMakeBorder(inside, 0, 0, 32, 0, cv2.BORDER_CONSTANT, value=1.0), (0, 0), 4.0)
    return (smooth[:, 32:] > 0.5).astype(np.float32), nipple


def _profile(y: np.ndarray, middle: float, half: float, view: str, rng: np.random.Generator) -> np.ndarray:
    """Return the breast's extent from the chest wall at each height, as a fraction of its largest extent."""
    t = (y - middle) / half
    lobe = np.cos(np.clip(t, -1, 1) * np.pi / 2) ** rng.uniform(0.55, 0.85)
    skirt = rng.uniform(0.05, 0.14) * np.exp(-np.abs(np.abs(t) - 0.9) / 0.12)
    if view == "CC":
        return np.maximum(lobe, skirt)
    axilla = rng.uniform(0.5, 0.72) - rng.uniform(0.05, 0.2) * np.clip((middle - y) / middle, 0, 1)
    tail = np.where(y < middle, axilla, skirt)
    return np.log(np.exp(12 * lobe) + np.exp(12 * tail)) / 12 - np.log(2) / 12 * (y < middle)


def _distance_to_skin(inside: np.ndarray) -> np.ndarray:
    """Return the distance to the air in pixels; film edges that cut the breast do not count as skin."""
    padded = cv2.copyMakeBorder(inside.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    return cv2.distanceTransform(padded, cv2.DIST_L2, 5)[1:-1, 1:-1]


def _pectoral(shape: tuple[int, int], nipple: tuple[float, float], rng: np.random.Generator) -> np.ndarray:
    """Draw the pectoral muscle, a wedge with a slightly convex edge in the upper corner at the chest wall."""
    foot, top = nipple[0] * rng.uniform(0.8, 1.15), nipple[1] * rng.uniform(0.35, 0.6)
    yy, xx = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    down = np.clip(yy / foot, 0, 1)
    edge = top * (1 - down) * (1 + rng.uniform(0.1, 0.6) * down) + 6 * np.sin(yy / rng.uniform(60, 120))
    soft = np.clip((edge - xx) / rng.uniform(3, 7), -30, 30)
    return (down < 1) / (1 + np.exp(-soft))


def _gland(
    depth: np.ndarray, nipple: tuple[float, float], density: int, ducts: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Draw glandular tissue: clouds within a fan behind the nipple; denser breasts have more of it."""
    yy, xx = np.mgrid[: depth.shape[0], : depth.shape[1]].astype(np.float32)
    behind, aside = (nipple[1] - xx) / nipple[1], (yy - nipple[0] + rng.uniform(0, 40)) / (0.55 * nipple[1])
    fan = np.exp(-(((behind - 0.42) / 0.36) ** 2) - (aside / (0.35 + 0.75 * np.clip(behind, 0, 1))) ** 2)
    clouds = power_law(depth.shape, rng)
    level = 2.2 * fan + 0.45 * clouds + 0.25 * ducts - (2.1, 1.7, 1.25, 0.8)[density - 1]
    return (1 / (1 + np.exp(-level / 0.4)) * (1 - np.exp(-((depth / 35) ** 2)))).astype(np.float32)


def _tissue(gland: np.ndarray, ducts: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw fat and gland with their texture; the gland is brighter and coarser, and its ducts run to the nipple."""
    texture = power_law(gland.shape, rng)
    septa = strands(gland.shape, (40.0, 70.0), 0.1, rng) + strands(gland.shape, (16.0, 30.0), 0.12, rng)
    flat = rng.uniform(0.26, 0.36) + rng.uniform(0.14, 0.24) * gland
    return flat + (0.022 + 0.03 * gland) * texture + (0.02 + 0.035 * gland) * ducts + 0.03 * septa


def _vessels(shape: tuple[int, int], nipple: tuple[float, float], rng: np.random.Generator) -> np.ndarray:
    """Draw two to five vessels that run irregularly from the chest wall towards the nipple."""
    canvas = np.zeros(shape, np.float32)
    for _ in range(rng.integers(2, 6)):
        x = np.linspace(0, nipple[1] * rng.uniform(0.5, 0.9), 40)
        start = nipple[0] + rng.uniform(-0.3, 0.3) * shape[0]
        course = start + (nipple[0] - start) * (x / nipple[1]) ** 2 + np.cumsum(rng.normal(0, 2.5, x.size))
        points = np.round(8 * np.stack([x, course], 1)).astype(np.int32)
        cv2.polylines(canvas, [points], False, float(rng.uniform(0.03, 0.07)), int(rng.integers(1, 4)), cv2.LINE_AA, 3)
    return cv2.GaussianBlur(canvas, (0, 0), 1.0)
