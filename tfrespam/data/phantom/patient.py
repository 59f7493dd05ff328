"""Synthetic patients: breasts, their masses and the radiologist's descriptors of the masses."""

import dataclasses

import numpy as np

FIRST_PATIENT = 90001  # far above CBIS-DDSM's numbers, so that a phantom patient is never mistaken for a real one
SHAPES = ("ROUND", "OVAL", "LOBULATED", "IRREGULAR", "IRREGULAR-ARCHITECTURAL_DISTORTION")
SHAPE_RATES = (0.08, 0.3, 0.27, 0.29, 0.06)
MARGINS = {  # possible margins of each shape, the most frequent first
    "ROUND": ("CIRCUMSCRIBED", "OBSCURED", "ILL_DEFINED"),
    "OVAL": ("CIRCUMSCRIBED", "OBSCURED", "MICROLOBULATED"),
    "LOBULATED": ("CIRCUMSCRIBED", "MICROLOBULATED", "OBSCURED"),
    "IRREGULAR": ("SPICULATED", "ILL_DEFINED", "OBSCURED"),
    "IRREGULAR-ARCHITECTURAL_DISTORTION": ("SPICULATED", "ILL_DEFINED", "SPICULATED"),
}
MALIGNANT_RATES = {"ROUND": 0.15, "OVAL": 0.15, "LOBULATED": 0.35}  # any other shape: 0.8


@dataclasses.dataclass(frozen=True)
class PhantomMass:
    """Mass of a breast, visible in both views."""

    number: int  # abnormality id, counted from 1 in each breast
    shape: str
    margins: str
    assessment: int  # BI-RADS
    pathology: str
    subtlety: int  # 5 obvious - 1 subtle
    length: float  # longest side of its box, film pixels
    aspect: float  # shortest over longest axis of the ellipse it grew from
    depth: float  # distance behind the nipple as a fraction of the breast's depth


@dataclasses.dataclass(frozen=True)
class PhantomBreast:
    """Breast and its masses."""

    side: str  # LEFT or RIGHT
    size: float  # 0 small - 1 large
    masses: tuple[PhantomMass, ...]


@dataclasses.dataclass(frozen=True)
class PhantomPatient:
    """Patient with one or two breasts in the data set."""

    patient_id: str
    density: int  # BI-RADS 1 fatty - 4 extremely dense
    breasts: tuple[PhantomBreast, ...]


def draw_patient(index: int, rng: np.random.Generator) -> PhantomPatient:
    """Draw patient number `index` (from 0), with two breasts in half of the cases, and one to three masses a breast."""
    size, sides = rng.uniform(), ["LEFT", "RIGHT"]
    if rng.uniform() < 0.5:
        sides = [str(rng.choice(sides))]
    density = int(rng.choice(4, p=(0.22, 0.44, 0.25, 0.09))) + 1
    breasts = tuple(_draw_breast(side, size, rng) for side in sides)
    return PhantomPatient(f"P_{FIRST_PATIENT + index:05d}", density, breasts)


def _draw_breast(side: str, size: float, rng: np.random.Generator) -> PhantomBreast:
    count = int(rng.choice(3, p=(0.7, 0.22, 0.08))) + 1
    return PhantomBreast(side, size, tuple(_draw_mass(number, rng) for number in range(1, count + 1)))


def _draw_mass(number: int, rng: np.random.Generator) -> PhantomMass:
    shape = str(rng.choice(SHAPES, p=SHAPE_RATES))
    margins = str(rng.choice(MARGINS[shape], p=(0.6, 0.2, 0.2)))
    malignant = rng.uniform() < MALIGNANT_RATES.get(shape, 0.8)
    benign = "BENIGN_WITHOUT_CALLBACK" if rng.uniform() < 0.16 else "BENIGN"
    return PhantomMass(
        number=number,
        shape=shape,
        margins=margins,
        assessment=int(rng.choice((4, 5) if malignant else (2, 3, 4, 0))),
        pathology="MALIGNANT" if malignant else benign,
        subtlety=int(rng.choice((5, 4, 3, 2, 1), p=(0.4, 0.27, 0.2, 0.09, 0.04))),
        length=float(np.clip(49.0 * np.exp(0.36 * rng.standard_normal()), 25.0, 110.0)),
        aspect=float(rng.uniform(0.85, 1.0) if shape == "ROUND" else rng.uniform(0.38, 0.75)),
        depth=float(rng.uniform(0.25, 0.85)),
    )
