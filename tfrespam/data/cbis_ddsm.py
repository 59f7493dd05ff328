"""CBIS-DDSM masses from a download in any of its three layouts (TCIA paths, NBIA Data Retriever, Kaggle JPEG).

Phantom films written in the same layout are read by the same code; a file PHANTOM.txt in the root tells them apart.
"""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tfrespam.data import cbis_layouts, cbis_lists, cbis_repair, masks
from tfrespam.data.cbis_layouts import Index
from tfrespam.data.cbis_lists import Listed
from tfrespam.data.cbis_repair import Candidate, Outcome
from tfrespam.data.dicom import read_dicom
from tfrespam.data.dicom_greys import stretch
from tfrespam.data.pictures import SUFFIXES, read_picture
from tfrespam.data.records import Action, Film, FilmPixels, Inventory, LedgerRow, Lesion
from tfrespam.errors import UserError

NAME, PHANTOM = "cbis_ddsm_mass", "phantom"
PHANTOM_MARK = "PHANTOM.txt"


@dataclasses.dataclass(frozen=True)
class CbisFiles:
    """Where a film and its lesions' masks may be, below `root`; the likeliest file first."""

    root: str
    film: tuple[str, ...]
    masks: tuple[tuple[Candidate, ...], ...]  # for each lesion of the film


def recognise(root: Path) -> bool:
    """Whether `root` holds a mass case list, or folders named as CBIS-DDSM names its cases."""
    root = Path(root)
    return bool(cbis_lists.find_lists(root)) or any(
        next(root.glob(f"{above}{cbis_layouts.CASE_PREFIX}*_P_*"), None) for above in ("", "*/"))  # fmt: skip


def scan(root: Path) -> Inventory:
    """Reads the case lists and the header of every file. Raises UserError without a list or without any film."""
    root = Path(root).resolve()
    rows, ledger = _unique(_read_lists(root))
    index, layout, present = _find_layout(root, rows)
    films = []
    for lesions in _by_film(rows):
        gone = _why_gone(lesions, index, present)
        if gone:
            ledger += [LedgerRow(row.lesion.lesion_id, "", "", *gone) for row in lesions]
        else:
            films.append(_film(root, lesions, index))
    return Inventory(_name(root), layout, tuple(films), tuple(ledger), _notes(root))


def read(film: Film) -> FilmPixels:
    """Reads a film and its masks, mending what can be mended; the ledger tells all of it.

    The image is scaled so that its darkest pixel is 0 and its brightest 65535. The pixel spacing stays unknown: that
    of the digitisers is not in the files.
    """
    try:
        return _read(film)
    except UserError as error:
        return _unreadable(film, f"film: {error}")
    except Exception as error:  # one damaged file must not end an hour's work
        return _unreadable(film, f"{type(error).__name__} while reading")


def _read_lists(root: Path) -> list[Listed]:
    lists = cbis_lists.find_lists(root)
    if not lists:
        raise UserError(f"{root} looks like CBIS-DDSM, but its case lists are not in it: put "
                        f"{' and '.join(cbis_lists.LIST_NAMES.values())} (from the TCIA page) beside the pictures")
    return [row for split, path in lists.items() for row in cbis_lists.read_list(path, split, _name(root))]


def _unique(rows: list[Listed]) -> tuple[list[Listed], list[LedgerRow]]:
    """Rows without those whose lesion was listed before, which the ledger gets."""
    first = {row.lesion.lesion_id: row for row in reversed(rows)}
    repeated = [row for row in rows if first[row.lesion.lesion_id] is not row]
    return ([row for row in rows if first[row.lesion.lesion_id] is row],
            [LedgerRow(f"{row.lesion.lesion_id}_again", "", "", Action.SKIPPED_AMBIGUOUS,
                       f"{row.lesion.lesion_id} is listed twice: the first row counts") for row in repeated])


def _name(root: Path) -> str:
    """Phantoms carry their mark beside the case lists, which need not lie in the root itself."""
    folders = {root, *(path.parent for path in cbis_lists.find_lists(root).values())}
    return PHANTOM if any((folder / PHANTOM_MARK).exists() for folder in folders) else NAME


def _notes(root: Path) -> tuple[str, ...]:
    if any(next(root.glob(f"{above}calc_case_description_*.csv"), None) for above in ("", "*/", "*/*/")):
        return ("calcification lists are left aside: this software is about masses",)
    return ()


def _find_layout(root: Path, rows: list[Listed]) -> tuple[Index, str, set[str]]:
    """The index that finds listed films, the layout's name, and the splits (lists) of which it finds any."""
    for index_files, layouts in ((cbis_layouts.index_dicom, ("tcia", "nbia")),
                                 (cbis_layouts.index_pictures, ("kaggle", "kaggle"))):
        index = index_files(root)
        found = [(row, files[0]) for row in rows if (files := index.find(row.film))]
        if found:
            as_listed = sum(file.path.endswith(row.film_path) for row, file in found)
            layout = layouts[0] if 2 * as_listed >= len(found) else layouts[1]
            return index, layout, {row.lesion.split for row, _ in found}
    raise UserError(f"{root} holds CBIS-DDSM's case list with {len(rows)} lesions, but none of its films: expected "
                    "DICOM files, or jpeg/<SeriesInstanceUID>/*.jpg, below the same folder")


def _by_film(rows: list[Listed]) -> Iterator[list[Listed]]:
    films: dict[tuple[str, str], list[Listed]] = {}
    for row in rows:
        films.setdefault((row.lesion.split, row.lesion.film_id), []).append(row)
    yield from films.values()


def _why_gone(lesions: list[Listed], index: Index, present: set[str]) -> tuple[Action, str] | None:
    first = lesions[0]
    if first.lesion.split not in present:
        return Action.ABSENT, f"no film of the {first.lesion.split} list is here"
    if not index.find(first.film):
        return Action.SKIPPED_MISSING, f"no file of the listed film {first.film_path}"
    return None


def _film(root: Path, lesions: list[Listed], index: Index) -> Film:
    files = CbisFiles(str(root), tuple(file.path for file in index.find(lesions[0].film)),
                      tuple(tuple(_candidates(row, index)) for row in lesions))
    return Film(lesions[0].lesion.film_id, tuple(row.lesion for row in lesions), files)


def _candidates(row: Listed, index: Index) -> list[Candidate]:
    """The files of a lesion's crop and mask series, those that the list takes for masks first.

    In a series of both, the list has the crop first. Retrievers that rename the files keep that order as a rule.
    """
    files = sorted({file.path: file for place in (row.crop, row.mask) for file in index.find(place)}.items())
    if row.crop.series != row.mask.series:
        crops = {path for path, file in files if file.series == row.crop.series}
    else:
        crops = {files[0][0]} if len(files) > 1 else set()
    candidates = [Candidate(path, "crop" if path in crops else "mask") for path, _ in files]
    return sorted(candidates, key=lambda candidate: candidate.listed_as == "crop")


def _read(film: Film) -> FilmPixels:
    files: CbisFiles = film.files
    root = Path(files.root)
    path, image, repairs = _read_film(root, files)
    outcomes = [cbis_repair.find_mask(root, candidates, image.shape) for candidates in files.masks]
    outcomes = [_with(repairs, outcome) for outcome in outcomes]
    kept = tuple((lesion, outcome.mask) for lesion, outcome in zip(film.lesions, outcomes, strict=True)
                 if outcome.mask is not None)
    ledger = tuple(LedgerRow(lesion.lesion_id, path, outcome.path, outcome.action, outcome.detail)
                   for lesion, outcome in zip(film.lesions, outcomes, strict=True))
    return FilmPixels(image if kept else None, kept, ledger)


def _read_film(root: Path, files: CbisFiles) -> tuple[str, np.ndarray, tuple]:
    """The film's path, its image (H, W) uint16, and the repairs made to it."""
    path = files.film[0]
    if Path(path).suffix.lower() not in SUFFIXES:
        film = read_dicom(root / path)
        image, inverted = film.pixels, film.inverted
    else:
        image = stretch(read_picture(root / path))
        inverted = cbis_repair.is_negative(image, _crops(root, files))
        image = 65535 - image if inverted else image
    return path, image, ((Action.INVERTED, "the film was shown dark on bright"),) if inverted else ()


def _crops(root: Path, files: CbisFiles) -> Iterator[np.ndarray]:
    for candidate in (candidate for candidates in files.masks for candidate in candidates):
        try:
            levels = cbis_repair.read_levels(root / candidate.path)
        except UserError:
            continue
        if not masks.is_two_grey(levels, candidate.lossy):
            yield levels


def _with(repairs: tuple, outcome: Outcome) -> Outcome:
    return dataclasses.replace(outcome, repairs=outcome.repairs + repairs)


def _unreadable(film: Film, detail: str) -> FilmPixels:
    path = film.files.film[0] if film.files.film else ""
    ledger = tuple(_skipped(lesion, path, candidates, detail)
                   for lesion, candidates in zip(film.lesions, film.files.masks, strict=True))
    return FilmPixels(None, (), ledger)


def _skipped(lesion: Lesion, path: str, candidates: tuple[Candidate, ...], detail: str) -> LedgerRow:
    mask = candidates[0].path if candidates else ""
    return LedgerRow(lesion.lesion_id, path, mask, Action.SKIPPED_UNREADABLE, detail)
