"""Example images without patients: a phantom film and a crop of it, generated when the page starts."""

import numpy as np

from tfrespam.data.geometry import crop
from tfrespam.data.phantom.film import draw_film
from tfrespam.data.phantom.patient import draw_patient
from tfrespam.studies.demonstration.study import Study

SEED = 7


def film_and_mass() -> tuple[np.ndarray, np.ndarray]:
    """Generate a phantom film (H, W) uint16, and its largest mass (H, W) bool."""
    generator = np.random.default_rng(SEED)
    patient = draw_patient(0, generator)
    film, masks = draw_film(patient.breasts[0], patient.density, "MLO", generator)
    return film, max(masks, key=np.count_nonzero)


def examples() -> dict[str, Study]:
    """Return studies by the label of their button."""
    film, mass = film_and_mass()
    cut = crop.cut(film, crop.roi_box(mass, "example", 1.6))
    whole = Study("phantom_film", film, is_film=True)
    return {"Example: crop": Study("phantom_crop", cut), "Example: whole film": whole}
