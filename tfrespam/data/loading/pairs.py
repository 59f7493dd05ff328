"""Find pairs of images: two views of the same breast, or the same view with and without contrast."""

import numpy as np

from tfrespam.data.loading.protocols import Table

SECONDS = ("none", "view", "contrast")
VIEWS = {"CC": "MLO", "MLO": "CC"}
MODALITIES = {"DM": "CM", "CM": "DM"}  # CDD-CESM: low-energy and subtracted


def channels(second: str) -> int:
    """Return the number of images per example (`DataConfig.second`)."""
    return 1 if second == "none" else 2


def partners(table: Table, chosen: np.ndarray, second: str, among: np.ndarray | None = None) -> np.ndarray:
    """Return the row of each chosen example's partner in the table, -1 without partner: int (n,).

    The partner for "view" is the lesion of the same number in the other view of the same breast; for "contrast" it is
    that in the same view with, or without, contrast. Partners are examples of the same split, so that they are never of
    an excluded film; protocols split by patient, so that partners are always in the same split.

    Args:
        table: Columns of index.csv.
        chosen: Bool per example.
        second: "view" or "contrast".
        among: Bool per example that may be a partner (default: `chosen`, which is then a whole split).
    """
    among = chosen if among is None else among
    keys = [_key(table, place) for place in range(len(chosen))]
    known = {keys[place]: place for place in np.flatnonzero(among)}
    return np.array([known.get(_other(keys[place], second), -1) for place in np.flatnonzero(chosen)], np.int64)


def _key(table: Table, place: int) -> tuple:
    film = table["film_id"][place]
    number = table["lesion_id"][place].removeprefix(film)
    modality = next((part for part in film.split("_") if part in MODALITIES), "")
    return (table["patient_id"][place], table["laterality"][place], table["view"][place], modality, number,
            int(table["copy"][place]))  # fmt: skip


def _other(key: tuple, second: str) -> tuple | None:
    """Return the key of a partner; None if the view is neither CC nor MLO, or the contrast is unknown."""
    patient, side, view, modality, *rest = key
    if second == "view":
        return (patient, side, VIEWS[view], modality, *rest) if side and view in VIEWS else None
    return (patient, side, view, MODALITIES[modality], *rest) if modality else None
