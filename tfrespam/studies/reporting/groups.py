"""Dice by attributes of the lesions: means for each value of each attribute, with intervals by patients."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tfrespam.evaluation.statistics import patient_bootstrap

ATTRIBUTES = {"pathology": "Pathology", "shape": "Mass shape", "margins": "Mass margins", "subtlety": "Subtlety",
              "breast_density": "Breast density", "view": "View", "size": "Lesion size"}  # fmt: skip
LEAST = 5  # values with fewer images are merged
UNKNOWN = "unknown"
OTHER = "other, each rare"


class Group(NamedTuple):
    """Images with the same value of an attribute."""

    name: str
    images: int
    patients: int
    dice: float
    low: float
    high: float
    values: list[float]


def by_attribute(rows: Sequence[dict[str, str]]) -> dict[str, list[Group]]:
    """Group the images by each attribute; keys are the attributes' titles. Attributes without any value are omitted."""
    by_title = {}
    for attribute, title in ATTRIBUTES.items():
        values = _sizes(rows) if attribute == "size" else [_value(row.get(attribute, "")) for row in rows]
        if set(values) != {UNKNOWN}:
            by_title[title] = _groups(rows, values, ordered=attribute == "size")
    return by_title


def _value(text: str) -> str:
    return UNKNOWN if text in ("", "-1", "nan") else text.replace("_", " ").capitalize()


def _sizes(rows: Sequence[dict[str, str]]) -> list[str]:
    """Divide the images into thirds by the number of mass pixels in the network's input."""
    pixels = np.array([float(row["tp"]) + float(row["fn"]) for row in rows])
    first, second = np.quantile(pixels, (1 / 3, 2 / 3))
    names = f"smallest third, to {first:.0f} px", f"middle third, to {second:.0f} px", "largest third"
    return [names[int(size > first) + int(size > second)] for size in pixels]


def _groups(rows: Sequence[dict[str, str]], values: Sequence[str], ordered: bool) -> list[Group]:
    """Create one group a value, in the order of size, or else by name with rare values merged at the end."""
    if ordered:
        order = sorted(set(values), key=lambda name: ("smallest", "middle", "largest").index(name.split()[0]))
    else:
        names, counts = np.unique(values, return_counts=True)
        rare = {name for name, count in zip(names, counts, strict=True) if count < LEAST and name != UNKNOWN}
        values = [OTHER if value in rare and len(rare) > 1 else value for value in values]
        order = sorted(set(values), key=lambda name: (name in (UNKNOWN, OTHER), name))
    return [_group(name, [row for row, value in zip(rows, values, strict=True) if value == name]) for name in order]


def _group(name: str, rows: list[dict[str, str]]) -> Group:
    dice = [float(row["dice"]) for row in rows]
    patients = [row["patient_id"] for row in rows]
    return Group(name, len(rows), len(set(patients)), float(np.mean(dice)), *patient_bootstrap(dice, patients), dice)
