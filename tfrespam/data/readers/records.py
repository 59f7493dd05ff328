"""Records of a source of mammograms for `prepare`: lesions, films, and ledger rows."""

import dataclasses
import enum
from pathlib import Path
from typing import Protocol

import numpy as np


class Action(enum.StrEnum):
    """Outcome of one lesion of the source's list (column `action` of ledger.csv)."""

    USED = "used"
    REPAIRED_SWAP = "repaired_swap"  # crop and mask files were exchanged
    REPAIRED_SIZE = "repaired_size"  # the mask differed by a few pixels, or a scale, from its film's size
    INVERTED = "inverted"  # the film was dark on bright (MONOCHROME1)
    UNITED = "united"  # shares its crop with another lesion of the film: both masks are in the example
    SKIPPED_MISSING = "skipped_missing"
    SKIPPED_UNREADABLE = "skipped_unreadable"
    SKIPPED_EMPTY = "skipped_empty"
    SKIPPED_AMBIGUOUS = "skipped_ambiguous"  # files exist, but it is uncertain which one is the mask
    ABSENT = "absent"  # the whole official list (usually the test list) was never downloaded

    @property
    def kept(self) -> bool:
        return not (self.startswith("skipped") or self is Action.ABSENT)


@dataclasses.dataclass(frozen=True)
class Lesion:
    """Row of a source's list. Unknown text is "", unknown numbers are -1."""

    lesion_id: str  # unique in the data set, e.g. P_00001_LEFT_CC_1
    film_id: str  # e.g. P_00001_LEFT_CC
    patient_id: str  # e.g. P_00001
    split: str  # "train" or "test", the source's list; "train" without lists
    source: str  # e.g. "cbis_ddsm_mass"
    laterality: str = ""  # LEFT or RIGHT
    view: str = ""  # CC or MLO
    pathology: str = ""
    shape: str = ""
    margins: str = ""
    assessment: int = -1  # BI-RADS 0-6
    subtlety: int = -1  # 1 subtle - 5 obvious
    breast_density: int = -1  # 1-4


@dataclasses.dataclass(frozen=True)
class LedgerRow:
    """Outcome of one lesion; `detail` is text, and contains further repairs."""

    lesion_id: str
    film_file: str
    mask_file: str
    action: Action
    detail: str = ""


@dataclasses.dataclass(frozen=True)
class Film:
    """One film for a worker process: picklable, and created without decoding pixels.

    `files` is defined by the source of the film, which reads it.
    """

    film_id: str
    lesions: tuple[Lesion, ...]
    files: object


@dataclasses.dataclass(frozen=True)
class FilmPixels:
    """Pixels of one film: `image` (H, W) uint16 over the full range, bright = dense; a bool mask (H, W) per lesion."""

    image: np.ndarray | None  # None if no lesion of the film is usable
    masks: tuple[tuple[Lesion, np.ndarray], ...]
    ledger: tuple[LedgerRow, ...]  # one row for each lesion of the film, in the list's order
    pixel_spacing_mm: float = float("nan")


@dataclasses.dataclass(frozen=True)
class Inventory:
    """Films and lesions of a source, before any pixels are read."""

    name: str  # name of the data set: cbis_ddsm_mass, phantom, inbreast, or that of the folder
    layout: str  # for the user: "tcia", "nbia", "kaggle", "folder", "inbreast"
    films: tuple[Film, ...]
    ledger: tuple[LedgerRow, ...] = ()  # lesions without files (absent, missing film)
    notes: tuple[str, ...] = ()  # notes for the user about the whole source
    views: tuple[str, ...] = ("roi", "film")  # possible examples: crops, whole breasts

    def by_split(self) -> dict[str, list[Film]]:
        """Return the films of each split that has any, "train" before "test"."""
        films = {"train": [], "test": []}
        for film in self.films:
            films[film.lesions[0].split].append(film)
        return {split: listed for split, listed in films.items() if listed}


class Source(Protocol):
    """Interface of the modules that read one kind of download."""

    def recognise(self, root: Path) -> bool:
        """Return whether `root` is this kind of download; never raises an error, reads no pixels."""

    def scan(self, root: Path) -> Inventory:
        """List the films. Raises UserError if the download is unusable."""

    def read(self, film: Film) -> FilmPixels:
        """Read one film and repair known faults; defects are recorded in the ledger and raise no error."""
