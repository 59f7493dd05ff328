"""What every source of mammograms gives to `prepare`: lesions, films to read, and a ledger of what became of them."""

import dataclasses
import enum
from pathlib import Path
from typing import Protocol

import numpy as np


class Action(enum.StrEnum):
    """What happened to one lesion of the source's list (column `action` of ledger.csv)."""

    USED = "used"
    REPAIRED_SWAP = "repaired_swap"  # crop and mask files were exchanged
    REPAIRED_SIZE = "repaired_size"  # the mask was a few pixels, or a scale, off its film's size
    INVERTED = "inverted"  # MONOCHROME1 film, shown dark on bright
    UNITED = "united"  # shares its crop with another lesion of the film: both masks are in the example
    SKIPPED_MISSING = "skipped_missing"
    SKIPPED_UNREADABLE = "skipped_unreadable"
    SKIPPED_EMPTY = "skipped_empty"
    SKIPPED_AMBIGUOUS = "skipped_ambiguous"  # files are there, but which one is the mask cannot be told
    ABSENT = "absent"  # the whole official list (usually the test list) was never downloaded

    @property
    def kept(self) -> bool:
        return not (self.startswith("skipped") or self is Action.ABSENT)


@dataclasses.dataclass(frozen=True)
class Lesion:
    """One row of a source's list. Unknown text is "", unknown numbers are -1."""

    lesion_id: str  # unique in the data set, e.g. P_00001_LEFT_CC_1
    film_id: str  # e.g. P_00001_LEFT_CC
    patient_id: str  # e.g. P_00001
    split: str  # "train" or "test": the source's own list; "train" where it has none
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
    """What became of one lesion; `detail` is for a human, and holds every further repair."""

    lesion_id: str
    film_file: str
    mask_file: str
    action: Action
    detail: str = ""


@dataclasses.dataclass(frozen=True)
class Film:
    """One film to be read by a worker process: picklable, and cheap to make (no pixels were decoded for it).

    `files` belongs to the source that made the film: it alone knows how to read it.
    """

    film_id: str
    lesions: tuple[Lesion, ...]
    files: object


@dataclasses.dataclass(frozen=True)
class FilmPixels:
    """One film as read: `image` (H, W) uint16 over the full range, bright = dense; a bool mask (H, W) per lesion."""

    image: np.ndarray | None  # None when no lesion of the film could be used
    masks: tuple[tuple[Lesion, np.ndarray], ...]
    ledger: tuple[LedgerRow, ...]  # one row for each lesion of the film, in the list's order
    pixel_spacing_mm: float = float("nan")


@dataclasses.dataclass(frozen=True)
class Inventory:
    """All that a source found under its root, before any pixel is read."""

    name: str  # the data set's name: cbis_ddsm_mass, phantom, inbreast, or the folder's own
    layout: str  # for the user: "tcia", "nbia", "kaggle", "folder", "inbreast"
    films: tuple[Film, ...]
    ledger: tuple[LedgerRow, ...] = ()  # lesions for which there is nothing to read (absent, missing film)
    notes: tuple[str, ...] = ()  # what the user should be told about the source as a whole
    views: tuple[str, ...] = ("roi", "film")  # what examples can be made of: crops, whole breasts


class Source(Protocol):
    """A module under tfrespam.data that reads one kind of download."""

    def recognise(self, root: Path) -> bool:
        """Whether `root` looks like this kind of download; never raises, reads no pixels."""

    def scan(self, root: Path) -> Inventory:
        """Lists the films. Raises UserError when the download cannot be used at all."""

    def read(self, film: Film) -> FilmPixels:
        """Reads one film, repairing what can be; never raises for a defect of the film: the ledger tells it."""
