"""Digitised film of a phantom breast: marker letters, scratches, borders, grain, laterality, 16 bits."""

import cv2
import numpy as np

from tfrespam.data.phantom.anatomy import draw_anatomy
from tfrespam.data.phantom.lesions import add_masses
from tfrespam.data.phantom.patient import PhantomBreast

HEIGHT = 800


def draw_film(
    breast: PhantomBreast, density: int, view: str, rng: np.random.Generator
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Draw one digitised film: (800, W) uint16, bright = dense, and a mask (800, W) bool for each of its masses."""
    shape = (HEIGHT, int(rng.integers(450, 601)))
    anatomy = draw_anatomy(shape, view, breast.size, density, rng)
    brightness, masks = add_masses(anatomy, breast.masses, rng)
    if breast.side == "RIGHT":
        brightness, masks = brightness[:, ::-1], [np.ascontiguousarray(mask[:, ::-1]) for mask in masks]
    return _digitise(brightness, f"{breast.side[0]}{view}", rng), masks


def _digitise(brightness: np.ndarray, marker: str, rng: np.random.Generator) -> np.ndarray:
    exposed = np.clip(brightness, 0, None) ** rng.uniform(0.95, 1.15) * rng.uniform(1.0, 1.2)
    right = marker[0] == "R"
    film = np.maximum(exposed, _marker(brightness.shape, marker, right, rng))
    film = film + _scratches(brightness.shape, rng)
    film = np.maximum(film, _borders(brightness.shape, right, rng))
    film = cv2.GaussianBlur(film.astype(np.float32), (0, 0), 0.6)
    film += 0.004 * rng.standard_normal(film.shape, dtype=np.float32) + rng.uniform(0.005, 0.02)
    return np.round(np.clip(film, 0, 1) * 65535).astype(np.uint16)


def _marker(shape: tuple[int, int], text: str, right: bool, rng: np.random.Generator) -> np.ndarray:
    """Draw side and view as lead letters in the upper corner away from the chest wall, usually rotated."""
    tile = np.zeros((150, 150), np.uint8)  # putText supports only 8 bits
    (width, height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 1.0, 4)
    cv2.putText(tile, text, (75 - width // 2, 75 + height // 2), cv2.FONT_HERSHEY_SIMPLEX, 1.0, 255, 4, cv2.LINE_AA)
    turn = cv2.getRotationMatrix2D((75, 75), rng.choice((0.0, 40.0, -40.0, 90.0)) + rng.normal(0, 4), 1.0)
    tile = cv2.warpAffine(tile, turn, (150, 150)) * np.float32(rng.uniform(0.3, 0.95) / 255)
    canvas, top = np.zeros(shape, np.float32), int(rng.integers(5, 60))
    left = int(rng.integers(0, 20)) if right else shape[1] - 150 - int(rng.integers(0, 20))
    canvas[top : top + 150, left : left + 150] = tile
    return canvas


def _scratches(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Draw a few thin lines and specks of dust."""
    canvas = np.zeros(shape, np.float32)
    for _ in range(rng.integers(0, 4)):
        x, y, length, angle = rng.uniform((0, 0, 20, 0), (shape[1], shape[0], 160, np.pi))
        end = (round(x + length * np.cos(angle)), round(y + length * np.sin(angle)))
        cv2.line(canvas, (round(x), round(y)), end, float(rng.uniform(0.03, 0.12)), 1, cv2.LINE_AA)
    for _ in range(rng.integers(0, 6)):
        speck = (int(rng.integers(shape[1])), int(rng.integers(shape[0])))
        cv2.circle(canvas, speck, int(rng.integers(1, 3)), float(rng.uniform(0.2, 0.6)), -1, cv2.LINE_AA)
    return canvas


def _borders(shape: tuple[int, int], right: bool, rng: np.random.Generator) -> np.ndarray:
    """Draw the bright border that a scanner records beside the film, at the chest wall, the top or the bottom."""
    canvas = np.zeros(shape, np.float32)
    wall, top, bottom = rng.integers(0, 7, 3) * (rng.uniform(size=3) < (0.6, 0.4, 0.4))
    canvas[:top] = canvas[shape[0] - bottom :] = rng.uniform(0.7, 1.0)
    canvas[:, slice(shape[1] - wall, None) if right else slice(0, wall)] = rng.uniform(0.7, 1.0)
    return canvas
