"""Group near-duplicate images, which must be in the same split if a data set does not number patients.

The fingerprint of an image is whether each of 16 x 16 cells of the reduced image is brighter than its neighbour to the
right and below; it hardly depends on grey values, size or marks. Images form a group if few of the 512 bits differ,
also after mirroring; unrelated images differ in about half of the bits, similar scans in about a third. Pairs that were
cropped, rotated or shifted by much are not found.
"""

import cv2
import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

CELLS = 16
FEW = 0.12  # largest share of different bits


def fingerprint(image: np.ndarray) -> np.ndarray:
    """Compute the fingerprints of a grey image (H, W) and of its mirror image: (2, 2 CELLS CELLS) bool."""
    return np.stack([_bits(image), _bits(image[:, ::-1])])


def _bits(image: np.ndarray) -> np.ndarray:
    small = cv2.resize(image.astype(np.float32), (CELLS + 1, CELLS + 1), interpolation=cv2.INTER_AREA)
    return np.concatenate([small[:-1, 1:] > small[:-1, :-1], small[1:, :-1] > small[:-1, :-1]], axis=None)


def groups(fingerprints: dict[str, np.ndarray]) -> dict[str, str]:
    """Return name -> first name of its group; an image belongs to the group of any similar image."""
    names = list(fingerprints)
    if not names:
        return {}
    prints = np.stack(list(fingerprints.values()))
    alike = [np.flatnonzero((prints != one[0]).mean(axis=2).min(axis=1) <= FEW) for one in prints]
    graph = csr_array(([True] * sum(map(len, alike)), np.concatenate(alike), np.cumsum([0, *map(len, alike)])))
    _, found = connected_components(graph, directed=False)
    _, leaders = np.unique(found, return_index=True)
    return {name: names[leaders[group]] for name, group in zip(names, found, strict=True)}
