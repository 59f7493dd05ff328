"""Read the masses of mini-MIAS in its published layout: Info.txt and mdb001.pgm to mdb322.pgm in one folder.

J. Suckling et al., The Mammographic Image Analysis Society digital mammogram database, Excerpta Medica, International
Congress Series 1069:375-378 (1994). A mass is given as a circle: its mask is that disk, a weak label.
"""

import dataclasses
import re
from pathlib import Path

from tfrespam.core.errors import UserError
from tfrespam.core.files import with_subfolders
from tfrespam.data.readers import csv_tables, drawn_masks
from tfrespam.data.readers.image_file import SUFFIXES
from tfrespam.data.readers.records import Action, Film, FilmPixels, Inventory, LedgerRow, Lesion

NAME = "mini_mias"
INFO = ("Info.txt", "info.txt", "Info", "00README")  # in the original, the list is part of the README
FILM = re.compile(r"mdb(\d{3})", re.IGNORECASE)
NUMBER = re.compile(r"\d+(\.\d*)?", re.ASCII)
MASSES = {"CIRC": "CIRCUMSCRIBED", "SPIC": "SPICULATED", "MISC": "ILL_DEFINED"}  # class -> margins
OTHERS = ("CALC", "ARCH", "ASYM", "NORM")
TISSUES = ("F", "G", "D")
PATHOLOGY = {"B": "BENIGN", "M": "MALIGNANT"}
WEAK = "the masks are the circles of the list, not outlines of the masses: weak labels"
SPACING_MM = 0.2  # digitised at 50 micrometres and reduced four times
SIDE = 1024  # pixels of a published film, the units of the list's circles


@dataclasses.dataclass(frozen=True)
class MiasFiles:
    """Path of a film below `root`, and the circle of each lesion: x and y from the bottom left, radius; in pixels."""

    root: str
    image: str
    info: str
    circles: tuple[tuple[float, float, float], ...]


@dataclasses.dataclass(frozen=True)
class Finding:
    """Row of the list."""

    film: str  # e.g. mdb005
    kind: str
    pathology: str
    circle: tuple[float, float, float] | None  # None: too widespread for a circle


def recognise(root: Path) -> bool:
    """Return whether `root`, or a folder in it, contains the list and films."""
    return _home(Path(root)) is not None


def scan(root: Path) -> Inventory:
    """List the films with a mass; calcifications, distortions and asymmetries are ignored. Raises UserError."""
    home = _home(Path(root).resolve())
    info = _list_in(home)
    findings = [finding for finding in read_list(info) if finding.kind in MASSES]
    files = {path.stem.lower(): path.name for path in sorted(home.iterdir())
                if FILM.fullmatch(path.stem) and path.suffix.lower() in SUFFIXES}  # fmt: skip
    films, ledger = [], []
    for name in dict.fromkeys(finding.film for finding in findings):
        numbered = list(enumerate((found for found in findings if found.film == name), 1))
        problems = {number: _problem(finding, files) for number, finding in numbered}
        ledger += [LedgerRow(f"{name}_{number}", files.get(name, ""), info.name, *problem)
                   for number, problem in problems.items() if problem]
        drawn = [(number, finding) for number, finding in numbered if not problems[number]]
        if drawn:
            lesions = tuple(_lesion(finding, number) for number, finding in drawn)
            circles = tuple(finding.circle for _, finding in drawn)
            films.append(Film(name, lesions, MiasFiles(str(home), files[name], info.name, circles)))
    if not films:
        raise UserError(f"{home} contains no film with a circled mass. Expected lines such as "
                        f"'mdb005 F CIRC B 477 133 30' in {info.name}, and mdb005.pgm")
    return Inventory(NAME, NAME, tuple(films), tuple(ledger), (WEAK,))


def read(film: Film) -> FilmPixels:
    """Read a film and draw its disks; y is from the bottom in the list."""
    files: MiasFiles = film.files
    pixels = drawn_masks.read_drawn(film, files.root, files.image, files.info, lambda size: _drawn(files.circles, size))
    scale = SIDE / pixels.image.shape[0] if pixels.image is not None else 1.0
    return dataclasses.replace(pixels, pixel_spacing_mm=SPACING_MM * scale)


def _drawn(circles: tuple[tuple[float, float, float], ...], size: tuple[int, int]):
    """Draw the disks at a film's size; copies of the data set may be resized, with an unchanged list."""
    if size[0] != size[1]:
        raise UserError(f"expected a square film of {SIDE} x {SIDE} pixels, or that reduced: the list's circles are in "
                        f"these pixels. Received: {size[0]} x {size[1]}")  # fmt: skip
    scale = size[0] / SIDE
    for x, y, radius in circles:
        centre = (x + 0.5) * scale - 0.5, (SIDE - 1 - y + 0.5) * scale - 0.5
        detail = f"circle of radius {radius:g}" + ("" if scale == 1 else f", scaled from {SIDE} to {size[0]} pixels")
        yield drawn_masks.ellipse(centre, (radius * scale,) * 2, size), detail


def read_list(path: Path) -> list[Finding]:
    """Read the rows of the list in its order; other text and other rows are ignored."""
    lines = csv_tables.read_text(path, errors="replace").splitlines()
    rows = [re.split(r"[\s,;]+", line.strip()) for line in lines]
    return [_finding(row) for row in rows if len(row) >= 3 and FILM.fullmatch(row[0]) and row[1] in TISSUES
            and row[2] in (*MASSES, *OTHERS)]  # fmt: skip


def _finding(row: list[str]) -> Finding:
    numbers = [float(text) for text in row[4:7] if NUMBER.fullmatch(text)]  # "*NOTE 3*" replaces missing ones
    severity = row[3] if len(row) > 3 else ""
    return Finding(row[0].lower(), row[2], PATHOLOGY.get(severity, ""), tuple(numbers) if len(numbers) == 3 else None)


def _problem(finding: Finding, files: dict[str, str]) -> tuple[Action, str] | None:
    if finding.film not in files:
        return Action.SKIPPED_MISSING, "no file of this film was found beside the list"
    return None if finding.circle else (Action.SKIPPED_EMPTY, "the list contains no circle for it")


def _lesion(finding: Finding, number: int) -> Lesion:
    """Create the record of a lesion: films 1 and 2, 3 and 4 ... are of one patient, odd ones right, all MLO."""
    film = int(FILM.fullmatch(finding.film)[1])
    return Lesion(lesion_id=f"{finding.film}_{number}", film_id=finding.film, patient_id=f"mias{(film + 1) // 2:03}",
                  split="train", source=NAME, laterality="RIGHT" if film % 2 else "LEFT", view="MLO",
                  pathology=finding.pathology, margins=MASSES[finding.kind])  # fmt: skip


def _home(root: Path) -> Path | None:
    return next((folder for folder in with_subfolders(root)
                 if _list_in(folder) and any(folder.glob("mdb[0-9]*"))), None)  # fmt: skip


def _list_in(folder: Path) -> Path | None:
    """Find the list among the folder's files: the first of the usual names with rows of the list."""
    return next((folder / name for name in INFO if (folder / name).is_file() and read_list(folder / name)), None)
