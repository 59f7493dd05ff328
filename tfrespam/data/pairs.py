"""Pairs of pictures: which other picture of the data set shows the same breast, or the same view with contrast."""

import numpy as np

from tfrespam.data.protocols import Table

SECONDS = ("none", "view", "contrast")
VIEWS = {"CC": "MLO", "MLO": "CC"}
MODALITIES = {"DM": "CM", "CM": "DM"}  # CDD-CESM: low-energy and subtracted


def partners(table: Table, chosen: np.ndarray, second: str) -> np.ndarray:
    """For each chosen example, in their order, its partner's position in the table, -1 where there is none: int (n,).

    The partner of "view" is the lesion of the same number in the other view of the same breast, of "contrast" that in
    the same view with, or without, contrast. It must be chosen as well: nothing comes in from another part or from an
    excluded film, and since protocols cut by patient no partner is lost to another part.

    Args:
        table: Columns of index.csv.
        chosen: Bool per example.
        second: "view" or "contrast".
    """
    keys = [_key(table, place) for place in range(len(chosen))]
    known = {keys[place]: place for place in np.flatnonzero(chosen)}
    return np.array([known.get(_other(keys[place], second), -1) for place in np.flatnonzero(chosen)], np.int64)


def _key(table: Table, place: int) -> tuple:
    film = table["film_id"][place]
    number = table["lesion_id"][place].removeprefix(film)
    modality = next((part for part in film.split("_") if part in MODALITIES), "")
    return (table["patient_id"][place], table["laterality"][place], table["view"][place], modality, number,
            int(table["copy"][place]))  # fmt: skip


def _other(key: tuple, second: str) -> tuple | None:
    """The key that a partner has; None where the view is neither, or nothing is known of contrast."""
    patient, side, view, modality, *rest = key
    if second == "view":
        return (patient, side, VIEWS[view], modality, *rest) if side and view in VIEWS else None
    return (patient, side, view, MODALITIES[modality], *rest) if modality else None
