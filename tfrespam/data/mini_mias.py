"""mini-MIAS's masses from its published layout: Info.txt and mdb001.pgm to mdb322.pgm in one folder.

J. Suckling et al., The Mammographic Image Analysis Society digital mammogram database, Excerpta Medica, International
Congress Series 1069:375-378 (1994). A mass is a circle: its mask is that disk, which is a weak label.
"""

import dataclasses
import re
from pathlib import Path

from tfrespam.data import outlines
from tfrespam.data.pictures import SUFFIXES
from tfrespam.data.records import Action, Film, FilmPixels, Inventory, LedgerRow, Lesion
from tfrespam.errors import UserError
from tfrespam.files import with_subfolders

NAME = "mini_mias"
INFO = ("Info.txt", "info.txt", "Info", "00README")  # the list is part of a longer text in the original's README
FILM = re.compile(r"mdb(\d{3})", re.IGNORECASE)
MASSES = {"CIRC": "CIRCUMSCRIBED", "SPIC": "SPICULATED", "MISC": "ILL_DEFINED"}  # class -> margins
OTHERS = ("CALC", "ARCH", "ASYM", "NORM")
TISSUES = ("F", "G", "D")
PATHOLOGY = {"B": "BENIGN", "M": "MALIGNANT"}
WEAK = "the masks are the list's circles around the masses, no outlines: weak labels"
SPACING_MM = 0.2  # digitised at 50 micrometres and reduced four times


@dataclasses.dataclass(frozen=True)
class MiasFiles:
    """A film below `root`, and the circle of each of its lesions: x and y from the bottom left, radius; in pixels."""

    root: str
    image: str
    info: str
    circles: tuple[tuple[int, int, int], ...]


@dataclasses.dataclass(frozen=True)
class Finding:
    """One row of the list."""

    film: str  # e.g. mdb005
    kind: str
    pathology: str
    circle: tuple[int, int, int] | None  # None: spread too far for a circle to be drawn


def recognise(root: Path) -> bool:
    """Whether `root`, or a folder in it, holds the list and films beside it."""
    return _home(Path(root)) is not None


def scan(root: Path) -> Inventory:
    """Lists the films with a mass; calcifications, distortions and asymmetries are left aside. Raises UserError."""
    home = _home(Path(root).resolve())
    info = _list_in(home)
    findings = [finding for finding in read_list(info) if finding.kind in MASSES]
    pictures = {path.stem.lower(): path.name for path in sorted(home.iterdir())
                if FILM.fullmatch(path.stem) and path.suffix.lower() in SUFFIXES}  # fmt: skip
    films, ledger = [], []
    for name in dict.fromkeys(finding.film for finding in findings):
        numbered = list(enumerate((found for found in findings if found.film == name), 1))
        problems = {number: _problem(finding, pictures) for number, finding in numbered}
        ledger += [LedgerRow(f"{name}_{number}", pictures.get(name, ""), info.name, *problem)
                   for number, problem in problems.items() if problem]
        drawn = [(number, finding) for number, finding in numbered if not problems[number]]
        if drawn:
            lesions = tuple(_lesion(finding, number) for number, finding in drawn)
            circles = tuple(finding.circle for _, finding in drawn)
            films.append(Film(name, lesions, MiasFiles(str(home), pictures[name], info.name, circles)))
    if not films:
        raise UserError(f"{home} holds no film with a circled mass: expected lines such as "
                        f"'mdb005 F CIRC B 477 133 30' in {info.name}, and mdb005.pgm")
    return Inventory(NAME, NAME, tuple(films), tuple(ledger), (WEAK,))


def read(film: Film) -> FilmPixels:
    """Reads a film and draws its disks; y counts from the bottom in the list."""
    files: MiasFiles = film.files

    def draw(size):
        for x, y, radius in files.circles:
            yield outlines.ellipse((x, size[0] - 1 - y), (radius, radius), size), f"circle of radius {radius}"

    return outlines.read_drawn(film, files.root, files.image, files.info, draw, SPACING_MM)


def read_list(path: Path) -> list[Finding]:
    """The rows of the list, in its order; the text around them, and rows of other forms, are passed over."""
    rows = [line.split() for line in path.read_text(encoding="utf-8", errors="replace").splitlines()]
    return [_finding(row) for row in rows if len(row) >= 3 and FILM.fullmatch(row[0]) and row[1] in TISSUES
            and row[2] in (*MASSES, *OTHERS)]  # fmt: skip


def _finding(row: list[str]) -> Finding:
    numbers = [int(text) for text in row[4:7] if text.isdigit()]  # "*NOTE 3*" stands where there are none
    severity = row[3] if len(row) > 3 else ""
    return Finding(row[0].lower(), row[2], PATHOLOGY.get(severity, ""), tuple(numbers) if len(numbers) == 3 else None)


def _problem(finding: Finding, pictures: dict[str, str]) -> tuple[Action, str] | None:
    if finding.film not in pictures:
        return Action.SKIPPED_MISSING, "no such film beside the list"
    return None if finding.circle else (Action.SKIPPED_EMPTY, "the list gives no circle")


def _lesion(finding: Finding, number: int) -> Lesion:
    """Films 1 and 2, 3 and 4 ... are one patient's, the odd ones of the right breast, all of them MLO."""
    film = int(FILM.fullmatch(finding.film)[1])
    return Lesion(lesion_id=f"{finding.film}_{number}", film_id=finding.film, patient_id=f"mias{(film + 1) // 2:03}",
                  split="train", source=NAME, laterality="RIGHT" if film % 2 else "LEFT", view="MLO",
                  pathology=finding.pathology, margins=MASSES[finding.kind])  # fmt: skip


def _home(root: Path) -> Path | None:
    return next((folder for folder in with_subfolders(root)
                 if _list_in(folder) and any(folder.glob("mdb[0-9]*"))), None)  # fmt: skip


def _list_in(folder: Path) -> Path | None:
    """The list among the folder's files: the first of the usual names that holds rows of it."""
    return next((folder / name for name in INFO if (folder / name).is_file() and read_list(folder / name)), None)
