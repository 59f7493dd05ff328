"""Check the candidates of whole films in a server's answer."""

from typing import Any

import numpy as np

from tfrespam.evaluation.candidates import Candidate
from tfrespam.serving.client.failures import WrongAnswerError

COLUMNS = 6  # y0, x0, y1, x1, score, area


def listed(table: Any, count: int, source: str) -> list[tuple[Candidate, ...]]:
    """Return the candidates of each film from float32 (count, K, 6); films with fewer than K have rows of zeros.

    Diameters are NaN: a server does not return them.

    Raises:
        WrongAnswerError: The shape or a value is wrong.
    """
    rows = np.asarray(table) if isinstance(table, list | np.ndarray) else np.zeros(0)
    if count and rows.size == 0 and len(rows) == count:
        return [()] * count  # in JSON, empty lists do not show the length of the last axis
    if rows.dtype.kind != "f" or rows.ndim != 3 or rows.shape[::2] != (count, COLUMNS):
        raise WrongAnswerError(f"{source} returned candidates of the shape {rows.shape}; expected ({count}, K, "
                               f"{COLUMNS})")  # fmt: skip
    if not (np.isfinite(rows).all() and (rows >= 0).all() and (rows[..., 4] <= 1).all()):
        raise WrongAnswerError(f"{source} returned candidates with values that are not boxes, scores and areas")
    return [tuple(_candidate(row) for row in film if row[4] > 0) for film in rows]


def _candidate(row: np.ndarray) -> Candidate:
    y0, x0, y1, x1 = (int(side) for side in row[:4])
    return Candidate(float(row[4]), (y0, x0, y1, x1), ((y0 + y1 - 1) / 2, (x0 + x1 - 1) / 2), int(row[5]), float("nan"))
