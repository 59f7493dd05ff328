"""Atomic writing of files and folders, checksums, JSON and CSV."""

import contextlib
import csv
import errno
import glob
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tfrespam.core.csv_cells import guarded, unguarded
from tfrespam.core.errors import UserError
from tfrespam.core.locks import closed, hold, is_at, locked_folder, remove_unlocked


def _sync(path: Path) -> None:
    """Flush `path` to the disk, so that a crash after the following rename cannot leave an empty file."""
    descriptor = os.open(path, os.O_RDONLY)
    with closed(descriptor):
        os.fsync(descriptor)


@contextlib.contextmanager
def whole_file(path: str | os.PathLike) -> Iterator[Path]:
    """Write a file atomically: yield a temporary path beside `path`, renamed to `path` if the block succeeds.

    The temporary name is always the same, so that a file left by a killed process is overwritten.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.partial{path.suffix}")
    descriptor = _create(temporary)
    try:
        yield temporary
        _sync(temporary)
        os.replace(temporary, path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        _name(error, path)
        raise
    finally:
        os.close(descriptor)


def _name(error: BaseException, path: Path) -> None:
    """Add the file name to an OSError that lacks it, as errors during writing do."""
    if isinstance(error, OSError) and error.errno and error.filename is None:
        error.filename = os.fspath(path)


def _create(path: Path) -> int:
    """Create an empty file, locked by this process until the descriptor is closed; waits for another holder."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        hold(descriptor)
        if is_at(descriptor, path):  # not renamed or removed while waiting
            os.ftruncate(descriptor, 0)
            return descriptor
        os.close(descriptor)


@contextlib.contextmanager
def whole_directory(path: str | os.PathLike) -> Iterator[Path]:
    """Write a folder atomically: yield an empty folder beside `path`, renamed to `path` if the block succeeds.

    An existing `path` is replaced only then. Incomplete folders left by killed processes are removed first.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    recover_directory(path)
    _remove_leftovers(path)
    with locked_folder(path.parent, f".{path.name}.partial-") as temporary:
        try:
            yield temporary
            os.chmod(temporary, 0o777 & ~_umask())
            _replace_directory(temporary, path)
        except OSError as error:
            _name(error, path)
            raise
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def recover_directory(path: str | os.PathLike) -> None:
    """Restore a folder whose replacement was interrupted, after the old one was set aside and before the new was named.
    """
    path = Path(path)
    for old in path.parent.glob(f".{glob.escape(path.name)}.replaced-*"):
        with contextlib.suppress(FileNotFoundError):  # removed by another process
            if not path.exists() and any(old.iterdir()):
                _renamed(old, path)


def _remove_leftovers(path: Path) -> None:
    """Remove folders left by killed processes; those that a running process still writes stay."""
    remove_unlocked(path.parent, f".{path.name}.partial-")
    for old in path.parent.glob(f".{glob.escape(path.name)}.replaced-*"):
        shutil.rmtree(old, ignore_errors=True)


def _replace_directory(new: Path, path: Path) -> None:
    """Rename `new` to `path`, setting aside an existing folder; repeated while other processes create `path` again."""
    aside: list[Path] = []
    while not _renamed(new, path):
        aside.append(Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.replaced-")))
        with contextlib.suppress(FileNotFoundError):
            os.rename(path, aside[-1])
    for old in aside:
        shutil.rmtree(old, ignore_errors=True)


def _renamed(new: Path, path: Path) -> bool:
    """Rename `new` to `path` and return True, or return False if `path` is a folder with files."""
    try:
        os.rename(new, path)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            return False
        raise
    return True


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def is_plain_name(name: str) -> bool:
    """Check that `name` is a single, visible folder name, which cannot leave its parent folder."""
    return bool(name) and "/" not in name and not name.startswith(".")


def with_subfolders(root: Path) -> list[Path]:
    """Return `root` and its direct subfolders, by name: a download may be in one of them. Empty if `root` is no folder.
    """
    return [root, *(path for path in sorted(root.iterdir()) if path.is_dir())] if root.is_dir() else []


def by_relative_path(paths: Iterable[Path]) -> dict[str, Path]:
    """Return the paths, each once, by their names relative to the innermost folder that contains them all."""
    absolute = {path.absolute(): path for path in paths}
    home = os.path.commonpath([path.parent for path in absolute])
    return {path.relative_to(home).as_posix(): given for path, given in absolute.items()}


def below(root: Path, pattern: str, folders: int) -> list[Path]:
    """Return the paths that match a glob pattern in `root` and up to `folders` levels below, by depth, then by name."""
    return [path for depth in range(folders + 1) for path in sorted(root.glob("*/" * depth + pattern))]


def walk(root: str | os.PathLike, passed_over: tuple[str, ...] = ()) -> Iterator[tuple[str, list[str]]]:
    """Yield every folder in and below `root` with the names of its files, in a stable order.

    Links are followed, but no folder is entered twice. Folders whose names begin with one of `passed_over` are skipped.
    """
    entered = set()
    for folder, inner, names in os.walk(root, followlinks=True):
        state = os.stat(folder)
        fresh = (state.st_dev, state.st_ino) not in entered
        entered.add((state.st_dev, state.st_ino))
        inner[:] = sorted(name for name in inner if fresh and not name.startswith(passed_over))
        if fresh:
            yield folder, sorted(names)


def file_hash(path: str | os.PathLike) -> str:
    """Return the SHA-256 of a file's content."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


_SEAL = "sha256.json"


def seal(folder: Path) -> None:
    """Write the SHA-256 of every file in `folder`: many formats do not detect a changed bit."""
    write_json(folder / _SEAL, {file.name: file_hash(file) for file in sorted(folder.iterdir())})


def check_seal(folder: Path) -> None:
    """Raise ValueError or OSError if a file differs from its recorded SHA-256; a folder without a record passes."""
    if (folder / _SEAL).exists():
        for name, digest in json.loads((folder / _SEAL).read_text(encoding="utf-8")).items():
            if file_hash(folder / name) != digest:
                raise ValueError(f"{name} has changed since it was written")


def write_json(path: str | os.PathLike, value: Any) -> None:
    """Write `value` atomically as indented JSON; NaN becomes null."""
    with whole_file(path) as temporary:
        temporary.write_text(json.dumps(_plain(value), indent=2, allow_nan=False) + "\n", encoding="utf-8")


def read_json(path: str | os.PathLike, advice: str) -> dict[str, Any]:
    """Read a JSON object that `write_json` wrote. Raises UserError, which ends with `advice`, if it cannot.
    """
    try:
        return json_object(path)
    except FileNotFoundError:
        raise UserError(f"{path} is missing. {advice}") from None
    except ValueError as error:
        raise UserError(f"{path} is damaged ({error}). {advice}") from None


def json_object(path: str | os.PathLike) -> dict[str, Any]:
    """Read a JSON object. Raises OSError or ValueError for an unreadable file or another value."""
    value = json.loads(Path(path).read_text(encoding="utf-8"))
    if not isinstance(value, dict):
        raise ValueError(f"an object was expected, not {type(value).__name__}")
    return value


def write_csv(path: str | os.PathLike, rows: Sequence[Mapping[str, Any]], fields: Sequence[str] | None = None) -> None:
    """Write `rows` atomically under a header (`fields`, or the keys of the first row).

    Cells that a spreadsheet would run as formulas are guarded; `read_csv` restores them.
    """
    with whole_file(path) as temporary, open(temporary, "w", newline="", encoding="utf-8",
                                              errors="surrogateescape") as file:
        writer = csv.DictWriter(file, fields or list(rows[0]))
        writer.writeheader()
        writer.writerows({name: guarded(value) for name, value in row.items()} for row in rows)


def read_csv(path: str | os.PathLike, errors: str = "strict") -> list[dict[str, str]]:
    """Read the rows that `write_csv` wrote. Raises OSError, ValueError or csv.Error for an unreadable file.

    File names that are not valid UTF-8 are restored with `errors="surrogateescape"`.
    """
    with open(path, newline="", encoding="utf-8", errors=errors) as file:
        return csv_rows(file)


def csv_rows(lines: Iterable[str]) -> list[dict[str, str]]:
    """Read the rows of a text that `write_csv` wrote."""
    return [{name: unguarded(value) for name, value in row.items()} for row in csv.DictReader(lines)]


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):  # NumPy scalars and arrays
        return _plain(value.tolist())
    if isinstance(value, os.PathLike):
        return str(value)
    return None if isinstance(value, float) and value != value else value
