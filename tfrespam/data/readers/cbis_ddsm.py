"""Read the masses of CBIS-DDSM in any of its three layouts (TCIA paths, NBIA Data Retriever, Kaggle JPEG).

Phantom films in the same layout are read by the same code; a file PHANTOM.txt in the root marks them.
"""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tfrespam.core.errors import UserError
from tfrespam.data.dicom.greys import stretch
from tfrespam.data.dicom.reader import read_dicom
from tfrespam.data.readers import cbis_layouts, cbis_lists, cbis_repair, masks
from tfrespam.data.readers.cbis_layouts import Index
from tfrespam.data.readers.cbis_lists import Listed
from tfrespam.data.readers.cbis_repair import Candidate, Outcome
from tfrespam.data.readers.image_file import SUFFIXES, read_grey
from tfrespam.data.readers.records import Action, Film, FilmPixels, Inventory, LedgerRow, Lesion

NAME, PHANTOM = "cbis_ddsm_mass", "phantom"
PHANTOM_MARK = "PHANTOM.txt"


@dataclasses.dataclass(frozen=True)
class CbisFiles:
    """Possible files of a film and its lesions' masks below `root`, the most likely first."""

    root: str
    film: tuple[str, ...]
    masks: tuple[tuple[Candidate, ...], ...]  # for each lesion of the film


def recognise(root: Path) -> bool:
    """Return whether `root` contains a mass case list, or folders with names of CBIS-DDSM's cases."""
    root = Path(root)
    return bool(cbis_lists.find_lists(root)) or any(
        next(root.glob(f"{above}{cbis_layouts.CASE_PREFIX}*_P_*"), None) for above in ("", "*/"))  # fmt: skip


def scan(root: Path) -> Inventory:
    """Read the case lists and the header of every file. Raises UserError without a list or without any film."""
    root = Path(root).resolve()
    rows, ledger = _unique(_read_lists(root))
    index, layout, present = _find_layout(root, rows)
    films = []
    for lesions in _by_film(rows):
        gone = _missing_reason(lesions, index, present)
        if gone:
            ledger += [LedgerRow(row.lesion.lesion_id, "", "", *gone) for row in lesions]
        else:
            films.append(_film(root, lesions, index))
    return Inventory(_name(root), layout, tuple(films), tuple(ledger), _notes(root))


def read(film: Film) -> FilmPixels:
    """Read a film and its masks, and repair known faults, which the ledger records.

    The image is scaled so that its darkest pixel is 0 and its brightest 65535. The pixel spacing is unknown, because
    that of the digitisers is not in the files.
    """
    try:
        return _read(film)
    except UserError as error:
        return _unreadable(film, f"film: {error}")
    except Exception as error:  # one damaged file must not stop the preparation
        return _unreadable(film, f"{type(error).__name__} while reading")


def _read_lists(root: Path) -> list[Listed]:
    lists = cbis_lists.find_lists(root)
    if not lists:
        raise UserError(f"{root} looks like CBIS-DDSM, but contains no case lists. Put "
                        f"{' and '.join(cbis_lists.LIST_NAMES.values())} (from the TCIA page) beside the images")
    return [row for split, path in lists.items() for row in cbis_lists.read_list(path, split, _name(root))]


def _unique(rows: list[Listed]) -> tuple[list[Listed], list[LedgerRow]]:
    """Remove rows with a repeated lesion, and return ledger rows for them."""
    first = {row.lesion.lesion_id: row for row in reversed(rows)}
    repeated = [row for row in rows if first[row.lesion.lesion_id] is not row]
    return ([row for row in rows if first[row.lesion.lesion_id] is row],
            [LedgerRow(f"{row.lesion.lesion_id}_again", "", "", Action.SKIPPED_AMBIGUOUS,
                       f"{row.lesion.lesion_id} is listed twice: the first row is used") for row in repeated])


def _name(root: Path) -> str:
    """Return the name; phantoms have a mark beside the case lists, which may be in a subfolder."""
    folders = {root, *(path.parent for path in cbis_lists.find_lists(root).values())}
    return PHANTOM if any((folder / PHANTOM_MARK).exists() for folder in folders) else NAME


def _notes(root: Path) -> tuple[str, ...]:
    if any(next(root.glob(f"{above}calc_case_description_*.csv"), None) for above in ("", "*/", "*/*/")):
        return ("calcification lists are ignored: only masses are read",)
    return ()


def _find_layout(root: Path, rows: list[Listed]) -> tuple[Index, str, set[str]]:
    """Return the index of the listed films, the layout's name, and the splits (lists) with existing films."""
    for index_files, layouts in ((cbis_layouts.index_dicom, ("tcia", "nbia")),
                                 (cbis_layouts.index_images, ("kaggle", "kaggle"))):
        index = index_files(root)
        found = [(row, files[0]) for row in rows if (files := index.find(row.film))]
        if found:
            as_listed = sum(file.path.endswith(row.film_path) for row, file in found)
            layout = layouts[0] if 2 * as_listed >= len(found) else layouts[1]
            return index, layout, {row.lesion.split for row, _ in found}
    raise UserError(f"{root} contains CBIS-DDSM's case list with {len(rows)} lesions, but none of its films. Expected "
                    "DICOM files, or jpeg/<SeriesInstanceUID>/*.jpg, below the same folder")


def _by_film(rows: list[Listed]) -> Iterator[list[Listed]]:
    films: dict[tuple[str, str], list[Listed]] = {}
    for row in rows:
        films.setdefault((row.lesion.split, row.lesion.film_id), []).append(row)
    yield from films.values()


def _missing_reason(lesions: list[Listed], index: Index, present: set[str]) -> tuple[Action, str] | None:
    first = lesions[0]
    if first.lesion.split not in present:
        return Action.ABSENT, f"no film of the {first.lesion.split} list was found"
    if not index.find(first.film):
        return Action.SKIPPED_MISSING, f"no file of the listed film {first.film_path} was found"
    return None


def _film(root: Path, lesions: list[Listed], index: Index) -> Film:
    files = CbisFiles(str(root), tuple(file.path for file in index.find(lesions[0].film)),
                      tuple(tuple(_candidates(row, index)) for row in lesions))
    return Film(lesions[0].lesion.film_id, tuple(row.lesion for row in lesions), files)


def _candidates(row: Listed, index: Index) -> list[Candidate]:
    """Return the files of a lesion's crop and mask series, those listed as masks first.

    In a series of both, the list has the crop first. Tools that rename the files usually keep that order.
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
    """Return the film's path, its image (H, W) uint16, and its repairs."""
    path = files.film[0]
    if Path(path).suffix.lower() not in SUFFIXES:
        film = read_dicom(root / path)
        image, inverted, notes = film.pixels, film.inverted, film.notes
    else:
        notes = ()
        image = stretch(read_grey(root / path))
        inverted = cbis_repair.is_negative(image, _crops(root, files))
        image = 65535 - image if inverted else image
    repairs = ((Action.INVERTED, "the film was stored dark on bright"),) if inverted else ()
    return path, image, repairs + tuple((Action.USED, f"film: {note}") for note in notes)


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
