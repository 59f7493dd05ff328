"""Find the files in images/ and masks/ of the user's own data set, including subfolders and links."""

import dataclasses
from collections import Counter, defaultdict
from pathlib import Path, PurePosixPath

from tfrespam.core.files import walk
from tfrespam.data.dicom.sniff import BYTES, is_dicom
from tfrespam.data.readers.csv_tables import composed
from tfrespam.data.readers.image_file import SUFFIXES
from tfrespam.data.readers.records import Action, LedgerRow

DICOM_SUFFIXES = (".dcm", ".dicom")
IMAGES, MASKS = "images", "masks"


@dataclasses.dataclass(frozen=True)
class Pair:
    """Image and mask as paths below the root, and their common name without suffix."""

    name: str
    image: str
    mask: str


def pairs(root: Path, listed: set[str]) -> tuple[list[Pair], list[LedgerRow]]:
    """Pair images and masks by their paths without suffix; return ledger rows for all other files.

    Args:
        root: Folder with images/ and masks/.
        listed: Further names in a list of images.
    """
    images, masks = _files(root, IMAGES), _files(root, MASKS)
    found, ledger = [], [*_others(root, IMAGES), *_others(root, MASKS)]
    names = {name: (images.get(name, []), masks.get(name, [])) for name in images.keys() | masks.keys() | listed}
    uses = Counter(identifier(name) for name, several in names.items() if _problem(name, several) is None)
    for name, several in sorted(names.items()):
        files = [(each or [""])[0] for each in several]
        problem = _problem(name, several)
        if problem is None and uses[identifier(name)] > 1:
            problem = Action.SKIPPED_AMBIGUOUS, "a file in a folder and one named folder__file have the same identifier"
        if problem:
            ledger.append(LedgerRow(identifier(name), *files, *problem))
        else:
            found.append(Pair(name, *files))
    return found, ledger


def images(root: Path) -> set[str]:
    """Return the names, without suffix, of all images in images/."""
    return set(_files(root, IMAGES))


def identifier(name: str) -> str:
    """Convert a name with folders to one without path separators."""
    return name.replace("/", "__")


def stem(path: str) -> str:
    """Remove the suffix of an image; DICOM files are often named by a UID, whose last part is not a suffix."""
    file = PurePosixPath(path)
    return str(file.with_suffix("")) if file.suffix.lower() in SUFFIXES + DICOM_SUFFIXES else path


def holds_dicom(path: Path) -> bool:
    """Return whether a file is DICOM, by its suffix, or by its first bytes if the suffix is not that of an image."""
    suffix = path.suffix.lower()
    return suffix in DICOM_SUFFIXES or suffix not in SUFFIXES and _starts_as_dicom(path)


def _starts_as_dicom(path: Path) -> bool:
    try:
        with open(path, "rb") as file:
            return is_dicom(file.read(BYTES))
    except OSError:
        return False


def _all(root: Path, kind: str) -> list[Path]:
    """Return files in a stable order, without hidden ones and those in hidden folders."""
    return [Path(folder, name) for folder, names in walk(root / kind, (".", "__MACOSX")) for name in names
            if not name.startswith(".")]  # fmt: skip


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES or holds_dicom(path)


def _files(root: Path, kind: str) -> dict[str, list[str]]:
    """Group images by their path without suffix, in Unicode's composed form, since macOS decomposes names."""
    found = defaultdict(list)
    for path in filter(_is_image, _all(root, kind)):
        found[composed(stem(path.relative_to(root / kind).as_posix()))].append(path.relative_to(root).as_posix())
    return dict(found)


def _others(root: Path, kind: str) -> list[LedgerRow]:
    kinds = "not a PNG, JPEG, TIFF, BMP, PGM or DICOM file"
    rows = [(path.relative_to(root).as_posix()) for path in _all(root, kind) if not _is_image(path)]
    return [LedgerRow(identifier(row), row if kind == IMAGES else "", row if kind == MASKS else "",
                      Action.SKIPPED_UNREADABLE, kinds) for row in rows]  # fmt: skip


def _problem(name: str, several: tuple[list[str], list[str]]) -> tuple[Action, str] | None:
    if any("\udc80" <= letter <= "\udcff" for letter in name):
        return Action.SKIPPED_UNREADABLE, "the file's name is not valid UTF-8: rename it"
    if max(map(len, several)) > 1:
        return Action.SKIPPED_AMBIGUOUS, "several files of this name, with different suffixes or spellings: " + (
            ", ".join(file for files in several if len(files) > 1 for file in files))
    missing = [kind for kind, files in zip(("image", "mask"), several, strict=True) if not files]
    return (Action.SKIPPED_MISSING, f"no {' and no '.join(missing)} of this name") if missing else None
