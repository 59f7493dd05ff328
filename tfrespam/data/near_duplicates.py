"""Groups of pictures that show the same: where a data set numbers no patients, such a group must stay on one side.

A picture's fingerprint is whether each of 16 x 16 places is brighter than its neighbour to the right and below, after
reduction: little changes when the grey values, the size or a mark in the picture do. Pictures are one group when few
of the 512 bits differ, as they are or mirrored; unrelated ones differ in about a half, alike ones of one kind of scan
in about a third. A pair that was cropped, turned or shifted much is not found.
"""

import cv2
import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

CELLS = 16
FEW = 0.12  # share of the bits that may differ


def fingerprint(picture: np.ndarray) -> np.ndarray:
    """Of a grey picture (H, W) and of its mirror image: (2, 2 CELLS CELLS) bool."""
    return np.stack([_bits(picture), _bits(picture[:, ::-1])])


def _bits(picture: np.ndarray) -> np.ndarray:
    small = cv2.resize(picture.astype(np.float32), (CELLS + 1, CELLS + 1), interpolation=cv2.INTER_AREA)
    return np.concatenate([small[:-1, 1:] > small[:-1, :-1], small[1:, :-1] > small[:-1, :-1]], axis=None)


def groups(fingerprints: dict[str, np.ndarray]) -> dict[str, str]:
    """Name -> the first name of its group; whoever is like one member belongs to the group."""
    names = list(fingerprints)
    if not names:
        return {}
    prints = np.stack(list(fingerprints.values()))
    alike = [np.flatnonzero((prints != one[0]).mean(axis=2).min(axis=1) <= FEW) for one in prints]
    graph = csr_array(([True] * sum(map(len, alike)), np.concatenate(alike), np.cumsum([0, *map(len, alike)])))
    _, found = connected_components(graph, directed=False)
    _, leaders = np.unique(found, return_index=True)
    return {name: names[leaders[group]] for name, group in zip(names, found, strict=True)}
