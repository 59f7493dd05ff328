"""Detect faults of CBIS-DDSM's images by their content, and repair them if possible."""

import dataclasses
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from tfrespam.core.errors import UserError
from tfrespam.data.dicom.reader import read_stored
from tfrespam.data.readers import masks
from tfrespam.data.readers.image_file import LOSSY, SUFFIXES, read_grey
from tfrespam.data.readers.mask_levels import sense_problem
from tfrespam.data.readers.masks import size_text
from tfrespam.data.readers.records import Action

SUSPECT = 0.2  # dark minus bright share of pixels; 1,226 of the 1,231 training films have more
FLAT = 65.0  # standard deviation of grey levels (of 65535) below which a window is flat
MATCH_HEIGHT = 400  # pixels: enough to tell a crop from its negative

SERIOUSNESS = (Action.USED, Action.INVERTED, Action.REPAIRED_SIZE, Action.REPAIRED_SWAP)


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A file that may be the mask of a lesion."""

    path: str
    listed_as: str  # "mask" or "crop", as in the case list

    @property
    def lossy(self) -> bool:
        return self.path.lower().endswith(LOSSY)


@dataclasses.dataclass(frozen=True)
class Outcome:
    """Mask (H, W) bool of a lesion at the film's size, or None; `repairs` are pairs of action and description."""

    mask: np.ndarray | None
    path: str
    repairs: tuple[tuple[Action, str], ...]

    @property
    def action(self) -> Action:
        return max((action for action, _ in self.repairs), key=_seriousness, default=Action.USED)

    @property
    def detail(self) -> str:
        return "; ".join(text for _, text in self.repairs)


def _seriousness(action: Action) -> int:
    return SERIOUSNESS.index(action) if action in SERIOUSNESS else len(SERIOUSNESS)


def read_levels(path: Path) -> np.ndarray:
    """Read the stored grey levels (H, W) of a DICOM or image file. Raises UserError."""
    return read_grey(path) if path.suffix.lower() in SUFFIXES else read_stored(path)


def find_mask(root: Path, candidates: Iterable[Candidate], film_size: tuple[int, int]) -> Outcome:
    """Find the first candidate that can be a mask of a film of `film_size` (H, W): two greys and a similar size.

    Files that are not needed for the decision are not read.
    """
    crops, misfits, damaged = [], [], []
    for candidate in candidates:
        try:
            levels = read_levels(root / candidate.path)
        except UserError as error:
            damaged.append((candidate, str(error)))
            continue
        if not masks.is_two_grey(levels, candidate.lossy):
            crops.append(candidate)
        elif not masks.belongs(levels.shape, film_size):
            misfits.append((candidate, levels.shape))
        else:
            return _accept(candidate, levels, film_size)
    return _explain(crops, misfits, damaged, film_size)


def _accept(candidate: Candidate, levels: np.ndarray, film_size: tuple[int, int]) -> Outcome:
    repairs = []
    if candidate.listed_as == "crop":
        repairs.append((Action.REPAIRED_SWAP, "the case list exchanges crop and mask"))
    mask = masks.brighter(levels, candidate.lossy)
    if not mask.any():
        return Outcome(None, candidate.path, ((Action.SKIPPED_EMPTY, "the mask has a single grey value"),))
    if problem := sense_problem(mask):
        return Outcome(None, candidate.path, ((Action.SKIPPED_AMBIGUOUS, problem),))
    if mask.shape != film_size:
        sizes = f"mask of {size_text(mask.shape)} resized to the film's {size_text(film_size)}"
        repairs.append((Action.REPAIRED_SIZE, sizes))
        mask = masks.fit(mask, film_size)
    return Outcome(mask, candidate.path, tuple(repairs))


def _explain(crops: list, misfits: list, damaged: list, film_size: tuple[int, int]) -> Outcome:
    if misfits:
        candidate, size = misfits[0]
        text = f"two grey levels, but {size_text(size)} cannot belong to a film of {size_text(film_size)}"
        return Outcome(None, candidate.path, ((Action.SKIPPED_AMBIGUOUS, text),))
    if damaged:
        candidate, error = damaged[0]
        return Outcome(None, candidate.path, ((Action.SKIPPED_UNREADABLE, f"mask: {error}"),))
    if len(crops) > 1:
        text = f"none of {len(crops)} files has two grey levels"
        return Outcome(None, crops[0].path, ((Action.SKIPPED_AMBIGUOUS, text),))
    text = "only the crop was found" if crops else "neither mask nor crop was found"
    return Outcome(None, "", ((Action.SKIPPED_MISSING, text),))


def is_negative(film: np.ndarray, crops: Iterable[np.ndarray]) -> bool:
    """Return whether a film (H, W) uint16 without a header is a negative.

    The background of a film is dark, so a film with more bright than dark pixels is suspect. It is compared with a
    crop, which has the correct greys; without a crop, the brightness decides.
    """
    excess = np.mean(film < 0.25 * 65535) - np.mean(film > 0.75 * 65535)
    if excess > SUSPECT:
        return False
    scale = min(1.0, MATCH_HEIGHT / film.shape[0])
    small = _shrink(film, scale)
    for crop in crops:
        part = _shrink(crop, scale)
        if min(part.shape) >= 4 and all(side <= whole for side, whole in zip(part.shape, small.shape, strict=True)):
            likeness = cv2.matchTemplate(small, part, cv2.TM_CCOEFF_NORMED)[_textured(small, part.shape)]
            if likeness.size:
                return float(-likeness.min()) > float(likeness.max())
    return bool(excess < 0)


def _textured(film: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Find windows of `size` (h, w) in `film` (H, W) with contrast; without any a correlation is noise, down to -1.

    Returns (H - h + 1, W - w + 1) bool, as `cv2.matchTemplate` places its windows.
    """
    (rows, columns), film = size, film.astype(np.float64)
    mean, mean_square = (cv2.boxFilter(each, -1, (columns, rows), anchor=(0, 0)) for each in (film, film**2))
    variance = (mean_square - mean**2)[: film.shape[0] - rows + 1, : film.shape[1] - columns + 1]
    return variance > FLAT**2


def _shrink(pixels: np.ndarray, scale: float) -> np.ndarray:
    return cv2.resize(pixels.astype(np.float32), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
