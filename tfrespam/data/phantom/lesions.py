"""Synthetic masses: an outline in polar coordinates, a brightness profile that ends at it, and a position."""

import cv2
import numpy as np

from tfrespam.data.phantom.anatomy import Anatomy
from tfrespam.data.phantom.patient import PhantomMass
from tfrespam.data.phantom.texture import power_law

CONTRAST = (0.06, 0.08, 0.105, 0.135, 0.175)  # peak brightness above the tissue, for subtlety 1-5
# margins -> width of the edge's sigmoid as a fraction of the radius
SOFTNESS = {"CIRCUMSCRIBED": 0.06, "MICROLOBULATED": 0.06, "SPICULATED": 0.1, "OBSCURED": 0.06, "ILL_DEFINED": 0.18}
ANGLES = np.linspace(0, 2 * np.pi, 720, endpoint=False)


def add_masses(
    anatomy: Anatomy, masses: tuple[PhantomMass, ...], rng: np.random.Generator
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Add all masses to the brightness, (H, W) float32, and return it with a mask (H, W) bool for each mass.

    The brightness of masses and tissue adds up, as attenuation of X-rays does. A mask is the interior of its mass's
    outline.
    """
    brightness, masks, taken = anatomy.brightness.copy(), [], []
    for mass in masses:
        length = mass.length * rng.uniform(0.9, 1.1)  # each view shows the mass from a different angle
        place = _place(anatomy, mass, length, taken, rng)
        taken.append((*place, length))
        radius, spicules = outline(mass, rng)
        window = _window(place, length)
        corner = window[0].start, window[1].start
        centre, mask = (place[0] - corner[0], place[1] - corner[1]), np.zeros(brightness.shape, bool)
        shadow, mask[window] = _shadow(brightness[window].shape, centre, radius * length, mass, rng)
        shadow += _spicules(shadow.shape, centre, spicules, length)
        brightness[window] += CONTRAST[mass.subtlety - 1] * shadow
        masks.append(mask)
    return brightness, masks


def _window(place: tuple[float, float], length: float) -> tuple[slice, slice]:
    """Return the part of the film that a mass of `length` and its spicules can cover."""
    reach = 1.3 * length
    return tuple(slice(max(0, int(at - reach)), int(at + reach)) for at in place)


def outline(mass: PhantomMass, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw a boundary r(theta) at ANGLES whose box has longest side 1, and spicules as rows (angle, from, to)."""
    turn = rng.uniform(0, np.pi)
    radius = mass.aspect / np.hypot(mass.aspect * np.cos(ANGLES - turn), np.sin(ANGLES - turn))
    spicules = np.zeros((0, 3))
    if mass.shape == "LOBULATED":
        radius *= _lobes(rng)
    if mass.shape.startswith("IRREGULAR"):
        radius *= _waves(range(2, 8), 0.17, rng)
    if mass.margins == "MICROLOBULATED":
        radius *= _waves(range(8, 14), 0.03, rng)
    if mass.margins == "SPICULATED":
        spicules = np.stack([(t := rng.uniform(0, 2 * np.pi, rng.integers(9, 22))), *np.zeros((2, t.size))], 1)
        for angle in spicules[:, 0]:
            radius *= 1 + rng.uniform(0.05, 0.25) * _bump(angle, rng.uniform(0.06, 0.14))
    radius /= np.ptp(radius * np.cos(ANGLES)) if _wide(radius) else np.ptp(radius * np.sin(ANGLES))
    spicules[:, 1] = np.interp(spicules[:, 0], ANGLES, radius, period=2 * np.pi) * 0.9
    spicules[:, 2] = spicules[:, 1] + rng.uniform(0.15, 0.5, len(spicules))
    return radius, spicules


def _wide(radius: np.ndarray) -> bool:
    return np.ptp(radius * np.cos(ANGLES)) >= np.ptp(radius * np.sin(ANGLES))


def _lobes(rng: np.random.Generator) -> np.ndarray:
    """Return the factor on the radius for two to five rounded lobes with notches between them."""
    lobes, phase = rng.integers(2, 6), rng.uniform(0, np.pi)
    return 1 - rng.uniform(0.25, 0.5) * (1 - np.abs(np.cos(lobes * ANGLES / 2 + phase)) ** 0.7)


def _waves(orders: range, strength: float, rng: np.random.Generator) -> np.ndarray:
    waves = sum(rng.normal() * np.cos(k * ANGLES + rng.uniform(0, 2 * np.pi)) / np.sqrt(k) for k in orders)
    return np.clip(1 + strength * waves, 0.45, 1.6)


def _bump(angle: float, width: float) -> np.ndarray:
    away = np.abs((ANGLES - angle + np.pi) % (2 * np.pi) - np.pi)
    return np.clip(1 - away / width, 0, None)


def _place(
    anatomy: Anatomy, mass: PhantomMass, length: float, taken: list, rng: np.random.Generator
) -> tuple[float, float]:
    """Draw a centre (y, x) at about the mass's depth, entirely inside breast and film and not on other masses."""
    height, width = anatomy.depth.shape
    yy, xx = np.mgrid[:height:4, :width:4]
    others = [np.hypot(yy - y, xx - x) - 0.7 * other for y, x, other in taken]
    clearance = np.minimum.reduce([anatomy.depth[::4, ::4], yy, xx, height - yy, width - xx, *others])
    free = clearance > 0.75 * length + 6
    behind = np.hypot(yy - anatomy.nipple[0], xx - anatomy.nipple[1]) / anatomy.nipple[1]
    weight = np.exp(-(((behind - mass.depth) / 0.12) ** 2)) * (0.3 + anatomy.gland[::4, ::4])
    weight = (weight * (1 - 0.95 * anatomy.pectoral[::4, ::4]) + 1e-9) * free
    if not free.any():  # no free position in a small breast: take the one with the largest clearance
        weight = clearance == clearance.max()
    chosen = rng.choice(weight.size, p=(weight / weight.sum()).ravel())
    return float(yy.flat[chosen]), float(xx.flat[chosen])


def _shadow(
    shape: tuple[int, int], place: tuple[float, float], radius: np.ndarray, mass: PhantomMass, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw the mass's shadow, (H, W) float32 with peak about 1, and its mask; `radius` in pixels at ANGLES."""
    yy, xx = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    dy, dx = yy - np.float32(place[0]), xx - np.float32(place[1])
    boundary = np.interp(np.arctan2(dy, dx).ravel(), ANGLES, radius, period=2 * np.pi).reshape(shape)
    share, soft = np.hypot(dy, dx) / boundary, SOFTNESS[mass.margins]
    if mass.margins == "OBSCURED":  # tissue hides one side
        soft += 0.2 * np.clip(np.cos(np.arctan2(dy, dx) - rng.uniform(0, 2 * np.pi)), 0, 1)
    edge = 1 / (1 + np.exp(np.clip((share - 1) / soft, -30, 30)))
    dome = 0.7 + 0.3 * np.clip(1 - share**2, 0, 1)
    return (edge * dome * (1 + 0.16 * power_law(shape, rng))).astype(np.float32), share < 1


def _spicules(shape: tuple[int, int], place: tuple[float, float], spicules: np.ndarray, length: float) -> np.ndarray:
    canvas = np.zeros(shape, np.float32)
    for angle, start, end in spicules:
        way = np.outer([start, end], [np.cos(angle), np.sin(angle)]) * length + np.array(place[::-1])
        (x0, y0), (x1, y1) = np.round(way * 8).astype(int).tolist()
        cv2.line(canvas, (x0, y0), (x1, y1), 0.5, 1, cv2.LINE_AA, 3)
    return cv2.GaussianBlur(canvas, (0, 0), 0.9)
