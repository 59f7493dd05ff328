"""Example pictures that show no patient: a phantom film and a crop of it, drawn when the page starts."""

import numpy as np

from tfrespam.data import crop
from tfrespam.data.phantom_film import draw_film
from tfrespam.data.phantom_patient import draw_patient
from tfrespam.demonstration.study import Study

SEED = 7


def film_and_mass() -> tuple[np.ndarray, np.ndarray]:
    """A phantom film (H, W) uint16, and its largest mass (H, W) bool."""
    generator = np.random.default_rng(SEED)
    patient = draw_patient(0, generator)
    film, masks = draw_film(patient.breasts[0], patient.density, "MLO", generator)
    return film, max(masks, key=np.count_nonzero)


def examples() -> dict[str, Study]:
    """Studies by the label of their button."""
    film, mass = film_and_mass()
    cut = crop.cut(film, crop.roi_box(mass, "example", 1.6))
    return {"Example: crop": Study("phantom_crop", cut), "Example: whole film": Study("phantom_film", film)}
