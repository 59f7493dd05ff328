"""Synthetic films for tests of film candidates."""

import cv2
import keras
import numpy as np


def drawn(height=480, width=300, masses=((240, 75, 24), (330, 60, 12))) -> np.ndarray:
    """Draw a half ellipse at the left edge with bright masses in it."""
    film = np.full((height, width), 600, np.uint16)
    cv2.ellipse(film, (0, height // 2), (width * 2 // 3, height // 3), 0, 0, 360, 25000, -1)
    for y, x, radius in masses:
        cv2.circle(film, (x, y), radius, 60000, -1)
    return film


def png(film):
    return cv2.imencode(".png", film)[1].tobytes()


class Bright(keras.layers.Layer):
    def call(self, image):
        return keras.ops.sigmoid((image - 0.6) * 20)
